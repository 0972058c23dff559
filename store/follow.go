package store

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
)

// Follow says when, and for how long, the lane's next is claimed by whoever ends the one before. The zero value leaves it.
// A Move that is written again because its answer was lost needs the same Follow, or what the first run claimed is not
// recognised.
type Follow struct {
	At    time.Time
	Lease time.Duration
}

// args are what the script is told: when it claims (empty: it does not), and until when.
func (f Follow) args() (at, until any) {
	if f.At.IsZero() {
		return "", ""
	}
	return appendTime(nil, f.At), millis(f.At.Add(f.Lease))
}

// next is the lane's next, as the script tells it: its record and, when it is claimed, what its attempt needs.
type next struct {
	record       string
	claimed      bool
	notification string
	newest       string // id
}

func readNext(reply []string) (n next) {
	if len(reply) > 0 {
		n.record = reply[0]
	}
	if len(reply) > 2 {
		n.claimed, n.notification, n.newest = true, reply[1], reply[2]
	}
	return n
}

// Followed reports whether the lane's next is claimed for the caller; Take gets all that its attempt needs.
func (m Moved) Followed() bool { return m.next.claimed }

// NextTask is the task of the lane's next.
func (m Moved) NextTask() (dispatcher.Task, error) {
	held, err := decodeDelivery(m.Next, m.next.record)
	return held.Task(), err
}

// Take returns the claim of the lane's next. With an error, Held is set when it can be given back. One round trip, for
// the snapshot.
func (s *Store) Take(ctx context.Context, m Moved) (c Claim, err error) {
	c = Claim{State: Claimed, Newest: m.next.newest}
	if c.Held, err = decodeDelivery(m.Next, m.next.record); err != nil {
		return c, err
	}
	ref := c.Held.Ref()
	if text := m.next.notification; text != "" {
		n, err := s.decodeNotification(ref, c.Held.NotificationID, text)
		if err != nil {
			return c, err
		}
		c.Notification = &n
	}
	packed, err := s.rdb.HGet(ctx, snapshotKey(ref.Shard(), c.Held.ChangeID), "b").Bytes()
	if errors.Is(err, redis.Nil) {
		return c, nil
	}
	if err != nil {
		return c, unavailable("read snapshot", err)
	}
	snap, err := decodeSnapshot(packed)
	if err == nil {
		c.Snapshot = &snap
	}
	return c, err
}
