package store

import (
	"bytes"
	"fmt"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

const recordBytes = 512 // about what a record has

// deliveryRecord is how a delivery is kept, behind a head that holds the rest of it.
type deliveryRecord struct {
	Merchant       string           `cbor:"1,keyasint"`
	Channel        string           `cbor:"2,keyasint"`
	OrderID        string           `cbor:"3,keyasint"`
	OrderVersion   int64            `cbor:"4,keyasint"`
	ChangeID       string           `cbor:"5,keyasint"`
	NotificationID string           `cbor:"6,keyasint"`
	Registered     int64            `cbor:"7,keyasint,omitempty"` // µs
	AdapterID      string           `cbor:"8,keyasint,omitempty"`
	Reference      string           `cbor:"9,keyasint,omitempty"`
	Scope          []string         `cbor:"10,keyasint"`
	Evidence       []evidenceRecord `cbor:"11,keyasint,omitempty"`
	Format         string           `cbor:"12,keyasint"`
	Options        []byte           `cbor:"13,keyasint,omitempty"` // JSON
	Ordering       string           `cbor:"14,keyasint,omitempty"` // absent: strict
	Created        int64            `cbor:"15,keyasint"`
	ExpiresAt      int64            `cbor:"16,keyasint,omitempty"`
	Reason         string           `cbor:"17,keyasint,omitempty"`
	StatusCode     int              `cbor:"18,keyasint,omitempty"`
	Attempts       int              `cbor:"19,keyasint,omitempty"`
	Counted        int              `cbor:"20,keyasint,omitempty"`
	NextAttemptAt  int64            `cbor:"21,keyasint,omitempty"`
	NextTrigger    string           `cbor:"22,keyasint,omitempty"` // absent: automatic
	Lone           bool             `cbor:"23,keyasint,omitempty"`
	WasDelivered   bool             `cbor:"24,keyasint,omitempty"`
	SettledAt      int64            `cbor:"25,keyasint,omitempty"`
	Test           bool             `cbor:"26,keyasint,omitempty"`
	Erased         bool             `cbor:"27,keyasint,omitempty"`
	Target         string           `cbor:"28,keyasint,omitempty"`
	ParkedAt       int64            `cbor:"29,keyasint,omitempty"`
	ParkedFor      string           `cbor:"30,keyasint,omitempty"`
	Pass           bool             `cbor:"31,keyasint,omitempty"`
}

type evidenceRecord struct {
	Scope     string `cbor:"1,keyasint"`
	Pointer   string `cbor:"2,keyasint"`
	Before    []byte `cbor:"3,keyasint,omitempty"` // JSON, as After
	After     []byte `cbor:"4,keyasint,omitempty"`
	Truncated bool   `cbor:"5,keyasint,omitempty"`
}

func evidenceRecords(all []dispatcher.Evidence) []evidenceRecord {
	records := make([]evidenceRecord, len(all))
	for i, e := range all {
		records[i] = evidenceRecord{e.Scope, e.Pointer, jsonOf(e.Before), jsonOf(e.After), e.Truncated}
	}
	return records
}

func (r deliveryRecord) evidence() ([]dispatcher.Evidence, error) {
	if len(r.Evidence) == 0 {
		return nil, nil
	}
	all := make([]dispatcher.Evidence, 0, len(r.Evidence))
	for _, e := range r.Evidence {
		before, err := valueOf(e.Before)
		if err != nil {
			return nil, err
		}
		after, err := valueOf(e.After)
		if err != nil {
			return nil, err
		}
		all = append(all, dispatcher.Evidence{Scope: e.Scope, Pointer: e.Pointer, Before: before, After: after, Truncated: e.Truncated})
	}
	return all, nil
}

func encodeDelivery(d dispatcher.Delivery, revision int) ([]byte, error) {
	head, err := appendHead(make([]byte, 0, recordBytes), d, revision)
	if err != nil {
		return nil, err
	}
	r := deliveryRecord{
		Merchant: d.Merchant, Channel: d.Channel, OrderID: d.OrderID, OrderVersion: d.OrderVersion, ChangeID: d.ChangeID,
		NotificationID: d.NotificationID, Registered: micros(d.Registered), AdapterID: d.AdapterID, Reference: d.Reference, Scope: d.Scope,
		Evidence: evidenceRecords(d.Evidence), Format: d.Format, Options: jsonOf(d.Options), Ordering: string(d.Ordering),
		Created: millis(d.Created), ExpiresAt: millis(d.ExpiresAt), Reason: string(d.Reason), StatusCode: d.StatusCode,
		Attempts: d.Attempts, Counted: d.Counted, NextAttemptAt: millis(d.NextAttemptAt),
		NextTrigger: string(d.NextTrigger), Lone: d.Lone, WasDelivered: d.WasDelivered, SettledAt: millis(d.SettledAt), Test: d.Test, Erased: d.Erased,
		Target: d.Target, ParkedAt: millis(d.ParkedAt), ParkedFor: string(d.ParkedFor), Pass: d.Pass,
	}
	if d.Ordering == dispatcher.OrderingStrict {
		r.Ordering = ""
	}
	if d.NextTrigger == dispatcher.TriggerAutomatic {
		r.NextTrigger = ""
	}
	record := bytes.NewBuffer(head)
	if err := cborWriter.MarshalToBuffer(&r, record); err != nil {
		return nil, fmt.Errorf("delivery %s: %w", d.ID, err)
	}
	return record.Bytes(), nil
}

// Held is a delivery as it was read; writes through it fail with ErrConflict when somebody wrote since.
type Held struct {
	dispatcher.Delivery
	revision int
	head     string
}

// heldAs is what decodeDelivery makes of a record that encodeDelivery made of d, without decoding it.
func heldAs(d dispatcher.Delivery, revision int, record []byte) Held {
	kept := func(at time.Time) time.Time { return fromMillis(millis(at)) }
	d.Created, d.ExpiresAt, d.NextAttemptAt = kept(d.Created), kept(d.ExpiresAt), kept(d.NextAttemptAt)
	d.SettledAt, d.ParkedAt, d.ClaimedAt = kept(d.SettledAt), kept(d.ParkedAt), kept(d.ClaimedAt)
	d.Registered = fromMicros(micros(d.Registered))
	return Held{d, revision % revisionMax, string(record[:headBytes])}
}

func decodeDelivery(id, record string) (Held, error) {
	h, err := parseHead(id, record)
	if err != nil {
		return h, err
	}
	var r deliveryRecord
	if err := cborReader.Unmarshal([]byte(record[headBytes:]), &r); err != nil {
		return Held{}, fmt.Errorf("delivery %s: %w", id, err)
	}
	evidence, err := r.evidence()
	if err != nil {
		return Held{}, fmt.Errorf("delivery %s: %w", id, err)
	}
	options, err := valueOf(r.Options)
	if err != nil {
		return Held{}, fmt.Errorf("delivery %s: %w", id, err)
	}
	h.Delivery = dispatcher.Delivery{
		ID: id, Merchant: r.Merchant, Channel: r.Channel, OrderID: r.OrderID, OrderVersion: r.OrderVersion,
		ChangeID: r.ChangeID, NotificationID: r.NotificationID, Registered: fromMicros(r.Registered), AdapterID: r.AdapterID, Reference: r.Reference,
		Scope: r.Scope, Evidence: evidence, Format: r.Format, Options: options,
		Ordering: dispatcher.Ordering(r.Ordering), Created: fromMillis(r.Created), ExpiresAt: fromMillis(r.ExpiresAt),
		Status: h.Status, Reason: dispatcher.Reason(r.Reason), StatusCode: r.StatusCode, Attempts: r.Attempts,
		Counted: r.Counted, NextAttemptAt: fromMillis(r.NextAttemptAt), NextTrigger: dispatcher.Trigger(r.NextTrigger),
		Lone: r.Lone, WasDelivered: r.WasDelivered, SettledAt: fromMillis(r.SettledAt), Test: r.Test, Erased: r.Erased, Generation: h.Generation,
		ClaimedAt: h.ClaimedAt, Target: r.Target, ParkedAt: fromMillis(r.ParkedAt),
		ParkedFor: dispatcher.ParkReason(r.ParkedFor), Pass: r.Pass,
	}
	if r.Ordering == "" {
		h.Ordering = dispatcher.OrderingStrict
	}
	if r.NextTrigger == "" {
		h.NextTrigger = dispatcher.TriggerAutomatic
	}
	return h, nil
}
