package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store/pack"
)

// State is an order with its notifications as they stood at one moment. Its token lets Commit refuse to overwrite what
// somebody else wrote since.
type State struct {
	Order         dispatcher.Order
	Notifications []dispatcher.Notification
	token         string
	weight        int // of the notifications, as Bytes has it; 0 while it is not known
}

// Known reports whether anything is known of the order: a document, or notifications registered ahead of it.
func (s State) Known() bool { return s.token != "" }

// Notification finds one by id.
func (s State) Notification(id string) (dispatcher.Notification, bool) {
	for _, n := range s.Notifications {
		if n.ID == id {
			return n, true
		}
	}
	return dispatcher.Notification{}, false
}

// Order hash: v version, k token, d document (packed), c channel, t created (ms), m modified (ms).
var orderFields = []string{"k", "v", "d", "c", "t", "m"}

// Load reads an order and its notifications in one round trip. An unknown order is a State that is not Known.
func (s *Store) Load(ctx context.Context, ref dispatcher.OrderRef) (State, error) {
	var order *redis.SliceCmd
	var notifications *redis.MapStringStringCmd
	// The token is read first: what is written between the two reads makes the token stale, never the notifications.
	err := s.pipelined(ctx, "load order", func(p redis.Pipeliner) {
		order = p.HMGet(ctx, orderKey(ref), orderFields...)
		notifications = p.HGetAll(ctx, notificationsKey(ref))
	})
	if err != nil {
		return State{}, err
	}
	// Cloned: the names of a request hold on to all of its headers.
	state := State{Order: dispatcher.Order{Merchant: strings.Clone(ref.Merchant), ID: strings.Clone(ref.OrderID)}}
	field := func(i int) string { text, _ := order.Val()[i].(string); return text }
	if state.token = field(0); state.token == "" {
		return state, nil
	}
	o := &state.Order
	o.Version, _ = strconv.ParseInt(field(1), 10, 64)
	o.Channel = field(3)
	o.Created, o.Modified = parseMillis(field(4)), parseMillis(field(5))
	if o.Version > 0 {
		document, err := pack.Unpack([]byte(field(2)))
		if err == nil {
			o.Document, err = valueOf(document)
		}
		if err != nil {
			return State{}, fmt.Errorf("stored order %s: %w", ref.OrderID, err)
		}
	}
	state.Notifications, err = s.decodeNotifications(ref, notifications.Val())
	return state, err
}

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
	now := s.now()
	keys := append(make([]string, 0, 5+2*len(c.Deliveries)), orderKey(ref), notificationsKey(ref), "", dueKey(ref.Shard()), historyKey(ref))
	keys[2] = keys[0] // no snapshot: the script does not touch it
	after, err := s.after(c, dispatcher.NewID(now))
	if err != nil {
		return Committed{}, err
	}
	args := after.args(c)
	snapshot := []byte{}
	if from := c.renderedFrom(); from != nil && len(c.Deliveries) > 0 {
		keys[2] = snapshotKey(ref.Shard(), from.ID)
		if snapshot, err = encodeSnapshot(c.snapshot()); err != nil {
			return Committed{}, err
		}
	}
	args = append(args, snapshot, millis(now), millis(now.Add(s.grace)), millis(now.Add(waitingCheck)))
	for _, d := range c.Deliveries {
		record, err := encodeDelivery(d, 1)
		if err != nil {
			return Committed{}, err
		}
		keys = append(keys, deliveryKey(ref.Shard(), d.ID), laneKey(ref, d.NotificationID))
		args = append(args, d.ID, record, string(d.Ordering))
	}
	reply, err := commitScript.Run(ctx, s.rdb, keys, args...).StringSlice()
	if err != nil {
		return Committed{}, unavailable("commit", err)
	}
	if reply[0] != "ok" {
		return Committed{}, fmt.Errorf("order %s: %w", ref.OrderID, dispatcher.ErrConflict)
	}
	if len(snapshot) > 0 { // its deliveries are mostly claimed here, and at once
		s.keepSnapshot(changeOf{ref, c.renderedFrom().ID}, string(snapshot))
	}
	done := Committed{State: after.state}
	for i, d := range c.Deliveries {
		if reply[i+1] == "1" {
			done.Ready = append(done.Ready, d.Task())
		}
	}
	return done, nil
}

// renderedFrom is the change whose snapshot the deliveries need; nil when there is none.
func (c Commit) renderedFrom() *dispatcher.Change {
	if c.Change != nil {
		return c.Change
	}
	return c.Sample
}

// snapshot holds the notifications as they are after the commit.
func (c Commit) snapshot() dispatcher.Snapshot {
	snap := dispatcher.Snapshot{Order: c.renderedFrom().Order}
	for _, n := range MergeNotifications(c.State.Notifications, c.Put) {
		snap.Notifications = append(snap.Notifications, n.Public())
	}
	return snap
}

// MergeNotifications returns the registered notifications with those of put in their places or appended.
func MergeNotifications(registered, put []dispatcher.Notification) []dispatcher.Notification {
	merged := append([]dispatcher.Notification(nil), registered...)
next:
	for _, n := range put {
		for i := range merged {
			if merged[i].ID == n.ID {
				merged[i] = n
				continue next
			}
		}
		merged = append(merged, n)
	}
	return merged
}

func parseMillis(text string) time.Time {
	ms, _ := strconv.ParseInt(text, 10, 64)
	return fromMillis(ms)
}

func isConflict(err error) bool { return errors.Is(err, dispatcher.ErrConflict) }
