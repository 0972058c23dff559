package store

import (
	"fmt"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store/pack"
)

type snapshotRecord struct {
	Merchant      string         `cbor:"1,keyasint,omitempty"` // absent, as the next two, where terms around it say it
	OrderID       string         `cbor:"2,keyasint,omitempty"`
	Channel       string         `cbor:"3,keyasint,omitempty"`
	Version       int64          `cbor:"4,keyasint"`
	Created       int64          `cbor:"5,keyasint"`
	Modified      int64          `cbor:"6,keyasint"`
	Notifications []publicRecord `cbor:"7,keyasint,omitempty"`
	Document      []byte         `cbor:"8,keyasint"` // JSON
}

type publicRecord struct {
	ID          idRecord `cbor:"1,keyasint"`
	AdapterID   string   `cbor:"2,keyasint,omitempty"`
	Reference   string   `cbor:"3,keyasint,omitempty"`
	Description string   `cbor:"4,keyasint,omitempty"`
	Scope       []byte   `cbor:"5,keyasint"`           // JSON
	Schema      []byte   `cbor:"6,keyasint,omitempty"` // JSON
	Invoke      string   `cbor:"7,keyasint"`
	Version     string   `cbor:"8,keyasint,omitempty"`
}

// newSnapshotRecord takes the text of the document, which the caller has.
func newSnapshotRecord(snap dispatcher.Snapshot, document []byte) snapshotRecord {
	o := snap.Order
	r := snapshotRecord{
		Merchant: o.Merchant, OrderID: o.ID, Channel: o.Channel, Version: o.Version,
		Created: millis(o.Created), Modified: millis(o.Modified), Document: document,
	}
	for _, n := range snap.Notifications {
		r.Notifications = append(r.Notifications, publicRecord{
			ID: idOf(n.ID), AdapterID: n.AdapterID, Reference: n.Reference, Description: n.Description,
			Scope: jsonOf(n.Scope), Schema: jsonOf(n.Schema), Invoke: n.Invoke, Version: n.Version,
		})
	}
	return r
}

// inTerms is the record as it stands in the terms of a delivery, which name the order.
func (r snapshotRecord) inTerms() *snapshotRecord {
	r.Merchant, r.OrderID, r.Channel = "", "", ""
	return &r
}

// of is the record of the snapshot that stood in such terms.
func (r snapshotRecord) of(terms dispatcher.Delivery) snapshotRecord {
	r.Merchant, r.OrderID, r.Channel = terms.Merchant, terms.OrderID, terms.Channel
	return r
}

func (r snapshotRecord) encode() ([]byte, error) {
	text, err := packed(&r)
	if err != nil {
		return nil, fmt.Errorf("snapshot: %w", err)
	}
	return text, nil
}

func decodeSnapshot(packed []byte) (snap dispatcher.Snapshot, err error) {
	var r snapshotRecord
	plain, err := pack.Unpack(packed)
	if err == nil {
		err = cborReader.Unmarshal(plain, &r)
	}
	if err == nil {
		snap, err = r.snapshot()
	}
	if err != nil {
		return dispatcher.Snapshot{}, fmt.Errorf("snapshot: %w", err)
	}
	return snap, nil
}

func (r snapshotRecord) snapshot() (dispatcher.Snapshot, error) {
	document, err := documentOf(r.Document)
	if err != nil {
		return dispatcher.Snapshot{}, err
	}
	snap := dispatcher.Snapshot{Order: dispatcher.Order{
		Merchant: r.Merchant, ID: r.OrderID, Channel: r.Channel, Version: r.Version,
		Created: fromMillis(r.Created), Modified: fromMillis(r.Modified), Document: document.Folded(),
	}}
	for _, n := range r.Notifications {
		rule, err := valueOf(n.Scope)
		if err != nil {
			return dispatcher.Snapshot{}, err
		}
		schema, err := valueOf(n.Schema)
		if err != nil {
			return dispatcher.Snapshot{}, err
		}
		snap.Notifications = append(snap.Notifications, dispatcher.PublicNotification{
			ID: n.ID.String(), AdapterID: n.AdapterID, Reference: n.Reference, Description: n.Description,
			Scope: rule, Schema: schema, Invoke: n.Invoke, Version: n.Version,
		})
	}
	return snap, nil
}
