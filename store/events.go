package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
)

const eventPrefix = 6 + len(dispatcher.EventID{}) // what stands before the CBOR of an Event: its size and its id

// encodeEvent is an Event as it stands in the record of its delivery.
func encodeEvent(a dispatcher.Attempt) ([]byte, error) {
	packed, err := encodeAttempt(a)
	if err != nil {
		return nil, err
	}
	event := append(appendHex(make([]byte, 0, eventPrefix+len(packed)), len(packed), 6), a.ID[:]...)
	return append(event, packed...), nil
}

// eachEvent calls fn with the id of every Event of a record and with its packed CBOR, until it returns false.
func eachEvent(deliveryID, events string, fn func(id dispatcher.EventID, packed string) bool) error {
	for events != "" {
		if len(events) < eventPrefix {
			return fmt.Errorf("delivery %s: Event of %d bytes", deliveryID, len(events))
		}
		size, err := strconv.ParseUint(events[:6], 16, 24)
		if err != nil || len(events) < eventPrefix+int(size) {
			return fmt.Errorf("delivery %s: Event of size %q in %d bytes", deliveryID, events[:6], len(events))
		}
		if !fn(dispatcher.EventID([]byte(events[6:eventPrefix])), events[eventPrefix:eventPrefix+int(size)]) {
			return nil
		}
		events = events[eventPrefix+int(size):]
	}
	return nil
}

// decodeEvents reads all Events of a record, oldest first.
func decodeEvents(deliveryID, events string) (attempts []dispatcher.Attempt, err error) {
	trouble := eachEvent(deliveryID, events, func(id dispatcher.EventID, packed string) bool {
		var a dispatcher.Attempt
		if a, err = decodeAttempt(id, []byte(packed)); err == nil {
			attempts = append(attempts, a)
		}
		return err == nil
	})
	if err = errors.Join(err, trouble); err != nil {
		return nil, err
	}
	slices.SortFunc(attempts, func(a, b dispatcher.Attempt) int { return compareEvents(a.ID, b.ID) })
	return attempts, nil
}

func compareEvents(a, b dispatcher.EventID) int { return strings.Compare(string(a[:]), string(b[:])) }

// Entry is an Event with the delivery that it belongs to.
type Entry struct {
	Delivery dispatcher.Delivery
	Attempt  dispatcher.Attempt
}

// Event returns one Event of a merchant. An unknown id and another merchant's are the same ErrNotFound.
func (s *Store) Event(ctx context.Context, merchant, id string) (Held, dispatcher.Attempt, error) {
	event, err := dispatcher.ParseEventID(id)
	if err != nil {
		return Held{}, dispatcher.Attempt{}, err
	}
	missing := fmt.Errorf("event %s: %w", id, dispatcher.ErrNotFound)
	if event.Time().Before(s.oldest(merchant)) {
		return Held{}, dispatcher.Attempt{}, missing
	}
	members, err := s.lookUp(ctx, s.rdb, merchant, event).Result()
	if err != nil {
		return Held{}, dispatcher.Attempt{}, unavailable("find event", err)
	}
	if len(members) == 0 {
		return Held{}, dispatcher.Attempt{}, missing
	}
	entries, err := s.readEach(ctx, members, func(_ string, err error) error { return err })
	if err != nil {
		return Held{}, dispatcher.Attempt{}, err
	}
	if len(entries) == 0 {
		return Held{}, dispatcher.Attempt{}, missing
	}
	return entries[0].held, entries[0].Attempt, nil
}

type heldEntry struct {
	Entry
	held Held
}

// readEntries is readEach for who lists Events: one that cannot be read is logged and left out, for it must not keep the others
// from being told.
func (s *Store) readEntries(ctx context.Context, members []string) ([]heldEntry, error) {
	return s.readEach(ctx, members, func(deliveryID string, err error) error {
		s.log.WarnContext(ctx, "event.unreadable", "delivery", deliveryID, "error", err, "then", "left out")
		return nil
	})
}

// readEach loads the Events behind index members, in their order, in one round trip; those that have left by retention are
// left out. A delivery with several of them is read once. Of what cannot be read it tells unreadable, of a record once, and
// ends with the error that this returns, if any.
func (s *Store) readEach(ctx context.Context, members []string, unreadable func(deliveryID string, err error) error) ([]heldEntry, error) {
	records := make(map[string]*redis.StringCmd, len(members))
	err := s.pipelined(ctx, "read events", func(p redis.Pipeliner) {
		for _, member := range members {
			event, id := splitMember(member)
			if records[id] == nil {
				records[id] = p.Get(ctx, deliveryKey(event.Shard(), id))
			}
		}
	})
	if err != nil {
		return nil, err
	}
	deliveries := make(map[string]delivered, len(records))
	entries := make([]heldEntry, 0, len(members))
	for _, member := range members {
		event, id := splitMember(member)
		d, read := deliveries[id]
		var err error
		if !read {
			if d, err = readDelivered(id, records[id].Val()); err != nil {
				d = delivered{} // as one that is not there
			}
			deliveries[id] = d
		}
		attempt, there, trouble := d.attempt(event)
		if err = errors.Join(err, trouble); err != nil {
			if err := unreadable(id, err); err != nil {
				return nil, err
			}
			continue
		}
		if there {
			entries = append(entries, heldEntry{Entry{d.held.Delivery, attempt}, d.held})
		}
	}
	return entries, nil
}

// delivered is a delivery with its Events as they stand in its record.
type delivered struct {
	held   Held
	events string
}

// readDelivered reads a record; one that is not there has no Events.
func readDelivered(id, record string) (d delivered, err error) {
	if record == "" {
		return d, nil
	}
	p, err := splitRecord(id, record, false)
	if err != nil {
		return d, err
	}
	d.events = p.events
	d.held, err = p.held(id)
	return d, err
}

// attempt reads one of the Events.
func (d delivered) attempt(id dispatcher.EventID) (a dispatcher.Attempt, there bool, err error) {
	var packed string
	err = eachEvent(d.held.ID, d.events, func(is dispatcher.EventID, its string) bool {
		packed, there = its, is == id
		return !there
	})
	if err == nil && there {
		a, err = decodeAttempt(id, []byte(packed))
	}
	return a, there, err
}

// ErrTooMany says that a query cannot count without looking at too much: fewer or other filters are needed.
var ErrTooMany = errors.New("too many events to count")
