package store

import (
	"context"
	"time"

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
	record       string // mostly without its terms when it is claimed
	whole        bool   // with them
	claimed      bool
	notification string
	newest       string // id
}

func readNext(reply []string, whole bool) (n next) {
	if len(reply) > 0 {
		n.record = reply[0]
	}
	if len(reply) > 2 {
		n.claimed, n.whole, n.notification, n.newest = true, whole, reply[1], reply[2]
	}
	return n
}

// Followed reports whether the lane's next is claimed for the caller; Take gets all that its attempt needs.
func (m Moved) Followed() bool { return m.next.claimed }

// NextTask is the task of the lane's next, when that is not claimed.
func (m Moved) NextTask() (dispatcher.Task, error) {
	held, err := decodeDelivery(m.Next, m.next.record)
	return held.Task(), err
}

// Take returns the claim of the lane's next. With an error, Held is set when it can be given back. No round trip where
// what is owed is kept here, which needs no asking: a snapshot lives as long as a delivery of its change is open, and what
// deletes an order takes its notifications first, without which nothing is sent.
func (s *Store) Take(ctx context.Context, m Moved) (Claim, error) {
	return s.claimed(ctx, told{id: m.Next, record: m.next.record, whole: m.next.whole, notification: m.next.notification, newest: m.next.newest})
}
