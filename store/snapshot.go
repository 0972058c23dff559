package store

import (
	"fmt"
	"slices"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store/pack"
)

type snapshotRecord struct {
	Merchant      string         `cbor:"1,keyasint"`
	OrderID       string         `cbor:"2,keyasint"`
	Channel       string         `cbor:"3,keyasint"`
	Version       int64          `cbor:"4,keyasint"`
	Created       int64          `cbor:"5,keyasint"`
	Modified      int64          `cbor:"6,keyasint"`
	Notifications []publicRecord `cbor:"7,keyasint,omitempty"`
	Document      []byte         `cbor:"8,keyasint"` // JSON
}

type publicRecord struct {
	ID          string `cbor:"1,keyasint"`
	AdapterID   string `cbor:"2,keyasint,omitempty"`
	Reference   string `cbor:"3,keyasint,omitempty"`
	Description string `cbor:"4,keyasint,omitempty"`
	Scope       []byte `cbor:"5,keyasint"`           // JSON
	Schema      []byte `cbor:"6,keyasint,omitempty"` // JSON
	Invoke      string `cbor:"7,keyasint"`
	Version     string `cbor:"8,keyasint,omitempty"`
}

// encodeSnapshot returns the packed record, and about how much room the snapshot takes when it is decoded.
func encodeSnapshot(snap dispatcher.Snapshot) (packed []byte, room int, err error) {
	o := snap.Order
	r := snapshotRecord{
		Merchant: o.Merchant, OrderID: o.ID, Channel: o.Channel, Version: o.Version,
		Created: millis(o.Created), Modified: millis(o.Modified), Document: jsonOf(o.Document),
	}
	for _, n := range snap.Notifications {
		r.Notifications = append(r.Notifications, publicRecord{
			ID: n.ID, AdapterID: n.AdapterID, Reference: n.Reference, Description: n.Description,
			Scope: jsonOf(n.Scope), Schema: jsonOf(n.Schema), Invoke: n.Invoke, Version: n.Version,
		})
	}
	plain, err := cborWriter.Marshal(&r)
	if err != nil {
		return nil, 0, fmt.Errorf("snapshot: %w", err)
	}
	return pack.Pack(plain), decodedRoom * len(plain), nil
}

// decodedRoom is how many times as large as its record a decoded snapshot is at most: an array of digits is.
const decodedRoom = 16

// snapshotAs is what decodeSnapshot makes of a record that encodeSnapshot made of the snapshot, without decoding it. What
// the snapshot was made from, the body of a request for instance, is not held on to; its document is by itself already.
func snapshotAs(snap dispatcher.Snapshot) dispatcher.Snapshot {
	o := &snap.Order
	o.Created, o.Modified = fromMillis(millis(o.Created)), fromMillis(millis(o.Modified))
	snap.Notifications = slices.Clone(snap.Notifications)
	for i := range snap.Notifications {
		n := &snap.Notifications[i]
		n.Scope, n.Schema = n.Scope.Clone(), n.Schema.Clone()
	}
	return snap
}

func decodeSnapshot(packed []byte) (snap dispatcher.Snapshot, room int, err error) {
	var r snapshotRecord
	plain, err := pack.Unpack(packed)
	if err == nil {
		err = cborReader.Unmarshal(plain, &r)
	}
	if err == nil {
		snap, err = r.snapshot()
	}
	if err != nil {
		return dispatcher.Snapshot{}, 0, fmt.Errorf("snapshot: %w", err)
	}
	return snap, decodedRoom * len(plain), nil
}

func (r snapshotRecord) snapshot() (dispatcher.Snapshot, error) {
	document, err := valueOf(r.Document)
	if err != nil {
		return dispatcher.Snapshot{}, err
	}
	snap := dispatcher.Snapshot{Order: dispatcher.Order{
		Merchant: r.Merchant, ID: r.OrderID, Channel: r.Channel, Version: r.Version,
		Created: fromMillis(r.Created), Modified: fromMillis(r.Modified), Document: document,
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
			ID: n.ID, AdapterID: n.AdapterID, Reference: n.Reference, Description: n.Description,
			Scope: rule, Schema: schema, Invoke: n.Invoke, Version: n.Version,
		})
	}
	return snap, nil
}
