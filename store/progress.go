package store

import (
	"fmt"

	"github.com/tidings/tidings/dispatcher"
)

// progressRecord is what becomes of a delivery, behind a head that holds the rest of it.
type progressRecord struct {
	Reason        string `cbor:"1,keyasint,omitempty"`
	StatusCode    int    `cbor:"2,keyasint,omitempty"`
	Attempts      int    `cbor:"3,keyasint,omitempty"`
	Counted       int    `cbor:"4,keyasint,omitempty"`
	NextAttemptAt int64  `cbor:"5,keyasint,omitempty"`
	NextTrigger   string `cbor:"6,keyasint,omitempty"` // absent: automatic
	Lone          bool   `cbor:"7,keyasint,omitempty"`
	WasDelivered  bool   `cbor:"8,keyasint,omitempty"`
	SettledAt     int64  `cbor:"9,keyasint,omitempty"`
	Erased        bool   `cbor:"10,keyasint,omitempty"`
	Target        string `cbor:"11,keyasint,omitempty"`
	ParkedAt      int64  `cbor:"12,keyasint,omitempty"`
	ParkedFor     string `cbor:"13,keyasint,omitempty"`
	Pass          bool   `cbor:"14,keyasint,omitempty"`
}

const progressMost = 1<<16 - 1 // bytes

// encodeProgress is the progress as it stands in a record, its size first.
func encodeProgress(d dispatcher.Delivery) ([]byte, error) {
	r := progressRecord{
		Reason: string(d.Reason), StatusCode: d.StatusCode, Attempts: d.Attempts, Counted: d.Counted,
		NextAttemptAt: millis(d.NextAttemptAt), NextTrigger: string(d.NextTrigger), Lone: d.Lone, WasDelivered: d.WasDelivered,
		SettledAt: millis(d.SettledAt), Erased: d.Erased, Target: d.Target, ParkedAt: millis(d.ParkedAt),
		ParkedFor: string(d.ParkedFor), Pass: d.Pass,
	}
	if d.NextTrigger == dispatcher.TriggerAutomatic {
		r.NextTrigger = ""
	}
	cbor, err := cborWriter.Marshal(&r)
	if err == nil && len(cbor) > progressMost {
		err = fmt.Errorf("progress of %d bytes", len(cbor))
	}
	if err != nil {
		return nil, fmt.Errorf("delivery %s: %w", d.ID, err)
	}
	return append(appendHex(make([]byte, 0, 4+len(cbor)), len(cbor), 4), cbor...), nil
}

func decodeProgress(cbor string, d *dispatcher.Delivery) error {
	var r progressRecord
	if err := cborReader.Unmarshal([]byte(cbor), &r); err != nil {
		return fmt.Errorf("delivery %s: %w", d.ID, err)
	}
	d.Reason, d.StatusCode, d.Attempts, d.Counted = dispatcher.Reason(r.Reason), r.StatusCode, r.Attempts, r.Counted
	d.NextAttemptAt, d.NextTrigger = fromMillis(r.NextAttemptAt), dispatcher.Trigger(r.NextTrigger)
	d.Lone, d.WasDelivered, d.SettledAt, d.Erased = r.Lone, r.WasDelivered, fromMillis(r.SettledAt), r.Erased
	d.Target, d.ParkedAt, d.ParkedFor, d.Pass = r.Target, fromMillis(r.ParkedAt), dispatcher.ParkReason(r.ParkedFor), r.Pass
	if r.NextTrigger == "" {
		d.NextTrigger = dispatcher.TriggerAutomatic
	}
	return nil
}
