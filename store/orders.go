package store

import (
	"context"
	"encoding/hex"
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

// tokenBytes is the size of a token: what an order keeps of its last writes begins with that of the newest.
const tokenBytes = 16

// newToken is one that no other write has.
func newToken(now time.Time) (string, error) {
	raw, err := hex.DecodeString(dispatcher.NewID(now))
	return string(raw), err
}

// Order hash: v version, k tokens of the last writes, d document (packed), c channel, t created (ms), m modified (ms),
// e version of the one that was erased. Of an erased order only the last is left, for as long as its Events.
var orderFields = []string{"k", "v", "d", "c", "t", "m", "e"}

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
	o := &state.Order
	o.Erased, _ = strconv.ParseInt(field(6), 10, 64)
	if state.token = field(0)[:min(tokenBytes, len(field(0)))]; state.token == "" {
		return state, nil
	}
	o.Version, _ = strconv.ParseInt(field(1), 10, 64)
	o.Channel = field(3)
	o.Created, o.Modified = parseMillis(field(4)), parseMillis(field(5))
	if o.Version > 0 {
		document, err := pack.Unpack([]byte(field(2)))
		if err == nil {
			o.Document, err = documentOf(document)
		}
		if err != nil {
			return State{}, fmt.Errorf("stored order %s: %w", ref.OrderID, err)
		}
	}
	state.Notifications, err = s.decodeNotifications(ref, notifications.Val())
	return state, err
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
