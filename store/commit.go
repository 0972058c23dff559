package store

import (
	"context"
	"fmt"
	"time"

	"github.com/tidings/tidings/dispatcher"
)

// Commit is what shall become true at once.
type Commit struct {
	State      State                     // as loaded; refused with ErrConflict when it is no longer so
	Channel    string                    // of an order not known before
	Put        []dispatcher.Notification // to register or replace
	Remove     []string                  // ids of notifications to remove
	Change     *dispatcher.Change        // nil: the document stays
	Deliveries []dispatcher.Delivery     // what the change owes
	Sample     *dispatcher.Change        // what a test delivery is rendered from, without a change of the order
}

// Committed tells what can begin, and what stands now.
type Committed struct {
	Ready []dispatcher.Task // deliveries that may begin now; the others wait in their lanes
	State State             // as a Load would read it, unless somebody else has written since
}

// waitingCheck is when the sweep looks at a delivery that waits in its lane. Nothing has to happen to it by itself.
const waitingCheck = 10 * time.Minute

// Commit writes everything or nothing. ErrConflict: somebody wrote first, load and plan again.
func (s *Store) Commit(ctx context.Context, c Commit) (Committed, error) {
	ref := c.State.Order.Ref()
	shard := ref.Shard()
	now := s.now()
	token, err := newToken(now)
	if err != nil {
		return Committed{}, err
	}
	after, err := s.after(c, token)
	if err != nil {
		return Committed{}, err
	}
	from, err := c.renderedFrom(after)
	if err != nil {
		return Committed{}, err
	}
	order := orderKey(ref)
	snapshot := order // none of the change: the script does not touch it
	if from.packed != nil {
		snapshot = snapshotKey(shard, from.change)
	}
	call := newCall(commitScript, 32+2*len(c.Put)+len(c.Remove)+6*len(c.Deliveries))
	call.addKeys(order, notificationsKey(ref), snapshot, dueKey(shard), historyKey(ref))
	for _, d := range c.Deliveries {
		call.addKeys(deliveryKey(shard, d.ID), laneKey(ref, d.NotificationID))
	}
	after.addArgs(call, c)
	call.addArgs(from.packed, millis(now), millis(now.Add(s.grace)), millis(now.Add(waitingCheck)))
	for _, d := range c.Deliveries {
		record, err := encodeDelivery(d, 1, from.payload, from.inTerms)
		if err != nil {
			return Committed{}, err
		}
		member, err := historyMember(d.ID)
		if err != nil {
			return Committed{}, err
		}
		call.addArgs(d.ID, member, record, string(d.Ordering))
	}
	reply, err := call.run(ctx, s.rdb).StringSlice()
	if err != nil {
		return Committed{}, unavailable("commit", err)
	}
	if reply[0] != "ok" {
		return Committed{}, fmt.Errorf("order %s: %w", ref.OrderID, dispatcher.ErrConflict)
	}
	if c.Change != nil && !s.elsewhere { // what it owes is mostly claimed here, and at once
		s.keepOwed(c, after.state, from.snapshot)
	}
	done := Committed{State: after.state}
	for i, d := range c.Deliveries {
		if reply[i+1] == "1" {
			done.Ready = append(done.Ready, d.Task())
		}
	}
	return done, nil
}

// renderedFrom is what the deliveries of a commit are rendered from, and how that is kept: in the terms of the delivery
// where there is only one, else once for all.
type renderedFrom struct {
	change   string // its id
	snapshot *dispatcher.Snapshot
	payload  payload
	inTerms  *snapshotRecord // nil where it is not in the terms
	packed   []byte          // nil where it is in the terms
}

// inTermsMost bounds the documents that are kept in the terms of a delivery: with these it is written anew by every attempt.
const inTermsMost = 16 << 10

func (c Commit) renderedFrom(left after) (from renderedFrom, err error) {
	change := c.Change
	if change == nil {
		change = c.Sample
	}
	if change == nil || len(c.Deliveries) == 0 {
		return from, nil
	}
	order, document := left.state.Order, left.document
	if c.Change == nil {
		order, document = c.Sample.Order, c.Sample.Order.Document.JSON()
	}
	order.Document = order.Document.Folded() // it may be kept for long
	from = renderedFrom{change: change.ID, snapshot: &dispatcher.Snapshot{Order: order, Notifications: left.public()}, payload: payloadInTerms}
	record := newSnapshotRecord(*from.snapshot, document)
	if len(c.Deliveries) == 1 && len(document) <= inTermsMost {
		from.inTerms = record.inTerms()
		return from, nil
	}
	from.payload = payloadOfChange
	from.packed, err = record.encode()
	return from, err
}
