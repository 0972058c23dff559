package store

import (
	"fmt"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store/pack"
)

// termsRecord is what is owed: nothing of it changes as long as the order is there.
type termsRecord struct {
	Merchant       string           `cbor:"1,keyasint"`
	Channel        string           `cbor:"2,keyasint"`
	OrderID        string           `cbor:"3,keyasint"`
	OrderVersion   int64            `cbor:"4,keyasint"`
	ChangeID       idRecord         `cbor:"5,keyasint"`
	NotificationID idRecord         `cbor:"6,keyasint"`
	Registered     int64            `cbor:"7,keyasint,omitempty"` // µs
	AdapterID      string           `cbor:"8,keyasint,omitempty"`
	Reference      string           `cbor:"9,keyasint,omitempty"`
	Scope          []string         `cbor:"10,keyasint"`
	Evidence       []evidenceRecord `cbor:"11,keyasint,omitempty"`
	Format         string           `cbor:"12,keyasint"`
	Options        []byte           `cbor:"13,keyasint,omitempty"` // JSON
	Created        int64            `cbor:"14,keyasint"`
	ExpiresAt      int64            `cbor:"15,keyasint,omitempty"`
	Test           bool             `cbor:"16,keyasint,omitempty"`
}

// fullTermsRecord are the terms with the snapshot that mostly stands in them. Who only wants to know of the delivery reads
// the part before.
type fullTermsRecord struct {
	termsRecord
	Snapshot *snapshotRecord `cbor:"17,keyasint,omitempty"`
}

type evidenceRecord struct {
	Scope     string `cbor:"1,keyasint"`
	Pointer   string `cbor:"2,keyasint"`
	Before    []byte `cbor:"3,keyasint,omitempty"` // JSON, as After
	After     []byte `cbor:"4,keyasint,omitempty"`
	Truncated bool   `cbor:"5,keyasint,omitempty"`
}

func encodeTerms(d dispatcher.Delivery, snapshot *snapshotRecord) ([]byte, error) {
	terms, err := packed(&fullTermsRecord{termsRecord{
		Merchant: d.Merchant, Channel: d.Channel, OrderID: d.OrderID, OrderVersion: d.OrderVersion, ChangeID: idOf(d.ChangeID),
		NotificationID: idOf(d.NotificationID), Registered: micros(d.Registered), AdapterID: d.AdapterID, Reference: d.Reference,
		Scope: d.Scope, Evidence: evidenceRecords(d.Evidence), Format: d.Format, Options: jsonOf(d.Options),
		Created: millis(d.Created), ExpiresAt: millis(d.ExpiresAt), Test: d.Test,
	}, snapshot})
	if err != nil {
		return nil, fmt.Errorf("delivery %s: %w", d.ID, err)
	}
	if len(terms) > termsMost {
		return nil, fmt.Errorf("delivery %s: terms of %d bytes", d.ID, len(terms))
	}
	return terms, nil
}

// decodeTerms returns a delivery as it was when nothing had become of it.
func decodeTerms(id, packed string) (dispatcher.Delivery, error) {
	var r termsRecord
	if err := unpackTerms(id, packed, &r); err != nil {
		return dispatcher.Delivery{}, err
	}
	return r.delivery(id)
}

// decodeFullTerms also returns the record of the snapshot, nil when it is not in the terms.
func decodeFullTerms(id, packed string) (dispatcher.Delivery, *snapshotRecord, error) {
	var r fullTermsRecord
	if err := unpackTerms(id, packed, &r); err != nil {
		return dispatcher.Delivery{}, nil, err
	}
	d, err := r.delivery(id)
	return d, r.Snapshot, err
}

func unpackTerms(id, packed string, into any) error {
	plain, err := pack.Unpack([]byte(packed))
	if err == nil {
		err = cborReader.Unmarshal(plain, into)
	}
	if err != nil {
		return fmt.Errorf("delivery %s: %w", id, err)
	}
	return nil
}

func (r termsRecord) delivery(id string) (d dispatcher.Delivery, err error) {
	d = dispatcher.Delivery{
		ID: id, Merchant: r.Merchant, Channel: r.Channel, OrderID: r.OrderID, OrderVersion: r.OrderVersion, ChangeID: r.ChangeID.String(),
		NotificationID: r.NotificationID.String(), Registered: fromMicros(r.Registered), AdapterID: r.AdapterID, Reference: r.Reference,
		Scope: r.Scope, Format: r.Format, Created: fromMillis(r.Created), ExpiresAt: fromMillis(r.ExpiresAt), Test: r.Test,
	}
	if d.Evidence, err = r.evidence(); err == nil {
		d.Options, err = valueOf(r.Options)
	}
	if err != nil {
		return dispatcher.Delivery{}, fmt.Errorf("delivery %s: %w", id, err)
	}
	return d, nil
}

func evidenceRecords(all []dispatcher.Evidence) []evidenceRecord {
	records := make([]evidenceRecord, len(all))
	for i, e := range all {
		records[i] = evidenceRecord{e.Scope, e.Pointer, jsonOf(e.Before), jsonOf(e.After), e.Truncated}
	}
	return records
}

func (r termsRecord) evidence() ([]dispatcher.Evidence, error) {
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
