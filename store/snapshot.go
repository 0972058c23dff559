package store

import (
	"encoding/json"
	"fmt"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/scope"
)

type snapshotRecord struct {
	Merchant      string                          `json:"m"`
	OrderID       string                          `json:"o"`
	Channel       string                          `json:"c"`
	Version       int64                           `json:"v"`
	Created       int64                           `json:"t"`
	Modified      int64                           `json:"u"`
	Notifications []dispatcher.PublicNotification `json:"n,omitempty"`
	Document      scope.Value                     `json:"d"`
}

func encodeSnapshot(snap dispatcher.Snapshot) ([]byte, error) {
	o := snap.Order
	plain, err := marshal(snapshotRecord{
		Merchant: o.Merchant, OrderID: o.ID, Channel: o.Channel, Version: o.Version,
		Created: millis(o.Created), Modified: millis(o.Modified),
		Notifications: snap.Notifications, Document: o.Document,
	})
	if err != nil {
		return nil, err
	}
	return pack(plain), nil
}

func decodeSnapshot(packed []byte) (dispatcher.Snapshot, error) {
	var r snapshotRecord
	plain, err := unpack(packed)
	if err == nil {
		err = json.Unmarshal(plain, &r)
	}
	if err != nil {
		return dispatcher.Snapshot{}, fmt.Errorf("snapshot: %w", err)
	}
	return dispatcher.Snapshot{
		Order: dispatcher.Order{
			Merchant: r.Merchant, ID: r.OrderID, Channel: r.Channel, Version: r.Version,
			Created: fromMillis(r.Created), Modified: fromMillis(r.Modified), Document: r.Document,
		},
		Notifications: r.Notifications,
	}, nil
}
