package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
)

// eventField is the field of the delivery's hash that holds an Event.
func eventField(id dispatcher.EventID) string { return "e" + string(id[:]) }

func decodeAttempts(fields map[string]string) ([]dispatcher.Attempt, error) {
	var attempts []dispatcher.Attempt
	for field, text := range fields {
		if len(field) != 17 || field[0] != 'e' {
			continue
		}
		a, err := decodeAttempt(dispatcher.EventID([]byte(field[1:])), []byte(text))
		if err != nil {
			return nil, err
		}
		attempts = append(attempts, a)
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
	members, err := s.rdb.ZRangeArgs(ctx, redis.ZRangeArgs{
		Key: indexKey(event.Shard(), merchant, indexAll, ""), ByLex: true,
		Start: "[" + string(event[:]), Stop: "[" + string(event[:]) + strings.Repeat("\xff", 17), Count: 1,
	}).Result()
	if err != nil {
		return Held{}, dispatcher.Attempt{}, unavailable("find event", err)
	}
	if len(members) == 0 {
		return Held{}, dispatcher.Attempt{}, missing
	}
	entries, err := s.readEntries(ctx, members)
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

// readEntries loads the Events behind index members, in their order, in one round trip; those that have left by
// retention are left out.
func (s *Store) readEntries(ctx context.Context, members []string) ([]heldEntry, error) {
	cmds := make([]*redis.SliceCmd, len(members))
	err := s.pipelined(ctx, "read events", func(p redis.Pipeliner) {
		for i, member := range members {
			event, deliveryID := splitMember(member)
			cmds[i] = p.HMGet(ctx, deliveryKey(event.Shard(), deliveryID), "r", eventField(event))
		}
	})
	if err != nil {
		return nil, err
	}
	entries := make([]heldEntry, 0, len(members))
	for i, cmd := range cmds {
		event, deliveryID := splitMember(members[i])
		record, _ := cmd.Val()[0].(string)
		text, _ := cmd.Val()[1].(string)
		if record == "" || text == "" {
			continue
		}
		held, err := decodeDelivery(deliveryID, record)
		if err != nil {
			return nil, err
		}
		attempt, err := decodeAttempt(event, []byte(text))
		if err != nil {
			return nil, err
		}
		entries = append(entries, heldEntry{Entry{held.Delivery, attempt}, held})
	}
	return entries, nil
}

// ErrTooMany says that a query cannot count without looking at too much: fewer or other filters are needed.
var ErrTooMany = errors.New("too many events to count")
