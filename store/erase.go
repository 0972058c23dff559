package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
)

// erasure is a deleted order whose deliveries and payloads are still to be erased.
type erasure struct {
	ID       string `json:"i"`
	Merchant string `json:"m"`
	OrderID  string `json:"o"`
}

// DeleteOrder removes an order and its notifications at once. What it leaves (open deliveries, payloads) is remembered
// in the same step and erased by EraseOrder; what of that a crash or an attempt in flight leaves undone, Erase finishes.
// ErrNotFound when unknown.
func (s *Store) DeleteOrder(ctx context.Context, state State) error {
	ref := state.Order.Ref()
	e := erasure{ID: dispatcher.NewID(s.now()), Merchant: ref.Merchant, OrderID: ref.OrderID}
	text, err := marshal(e)
	if err != nil {
		return err
	}
	keys := []string{orderKey(ref), notificationsKey(ref), historyKey(ref), erasedHistoryKey(ref, e.ID), eraseKey(ref.Shard())}
	reply, err := eraseScript.Run(ctx, s.rdb, keys, state.token, text, s.retentionOf(ref.Merchant).Milliseconds()).Text()
	switch {
	case err != nil:
		return unavailable("delete order", err)
	case reply == "gone":
		return fmt.Errorf("order %s: %w", ref.OrderID, dispatcher.ErrNotFound)
	case reply == "conflict":
		return fmt.Errorf("order %s: %w", ref.OrderID, dispatcher.ErrConflict)
	}
	return nil
}

// EraseOrder goes on with the erasures of one order.
func (s *Store) EraseOrder(ctx context.Context, ref dispatcher.OrderRef) error {
	shard := ref.Shard()
	all, err := s.rdb.SMembers(ctx, eraseKey(shard)).Result()
	if err != nil {
		return unavailable("read erasures", err)
	}
	for _, text := range all {
		var e erasure
		if json.Unmarshal([]byte(text), &e) == nil && e.Merchant == ref.Merchant && e.OrderID == ref.OrderID {
			_, trouble := s.eraseOrder(ctx, shard, text)
			if err = errors.Join(err, trouble); errors.Is(trouble, dispatcher.ErrUnavailable) {
				return err
			}
		}
	}
	return err
}

// Erase goes on with every erasure that is open. Deliveries in flight are left for a later call; it returns how many
// erasures are not finished. One pipelined round trip when there is nothing to erase.
func (s *Store) Erase(ctx context.Context) (unfinished int, err error) {
	cmds := make([]*redis.StringSliceCmd, dispatcher.Shards)
	err = s.pipelined(ctx, "read erasures", func(p redis.Pipeliner) {
		for shard := range cmds {
			cmds[shard] = p.SMembers(ctx, eraseKey(shard))
		}
	})
	if err != nil {
		return 0, err
	}
	for shard, cmd := range cmds {
		for _, text := range cmd.Val() {
			done, trouble := s.eraseOrder(ctx, shard, text)
			if err = errors.Join(err, trouble); errors.Is(trouble, dispatcher.ErrUnavailable) {
				return unfinished, err
			}
			if !done { // trouble with one order does not keep others from being erased
				unfinished++
			}
		}
	}
	return unfinished, err
}

func (s *Store) eraseOrder(ctx context.Context, shard int, text string) (done bool, err error) {
	var e erasure
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return false, fmt.Errorf("erasure: %w", err)
	}
	history := erasedHistoryKey(dispatcher.OrderRef{Merchant: e.Merchant, OrderID: e.OrderID}, e.ID)
	members, err := s.rdb.ZRange(ctx, history, 0, -1).Result()
	if err != nil {
		return false, unavailable("read history", err)
	}
	ids := historyIDs(members)
	done = true
	// Newest first: settling the head of a lane before those behind it would only make them due for nothing.
	slices.Reverse(ids)
	for _, id := range ids {
		erased, trouble := s.eraseDelivery(ctx, id)
		if err = errors.Join(err, trouble); errors.Is(trouble, dispatcher.ErrUnavailable) {
			return false, err
		}
		done = done && erased && trouble == nil // trouble with one delivery does not keep others from being erased
	}
	if !done {
		return false, err
	}
	return true, s.pipelined(ctx, "finish erasure", func(p redis.Pipeliner) {
		p.Del(ctx, history) // first: cut off here, the next call finds nothing left and forgets the erasure
		p.SRem(ctx, eraseKey(shard), text)
	})
}

// eraseDelivery cancels a delivery if it is open and drops what it holds of the order: evidence, answers, snapshot.
func (s *Store) eraseDelivery(ctx context.Context, id string) (done bool, err error) {
	held, err := s.Read(ctx, id)
	if err != nil || len(held) == 0 {
		return err == nil, err
	}
	h := held[0]
	if h.Erased {
		return true, nil // by an earlier call, which found another in flight
	}
	if !h.Status.Terminal() {
		if !h.ClaimedAt.IsZero() {
			return false, nil // in flight: it is recorded, or the sweep finds it lost
		}
		moved, err := s.Settle(ctx, h, dispatcher.StatusCancelled, dispatcher.ReasonCancelled)
		if err != nil || moved.Late {
			return false, err
		}
		h = moved.Held
	}
	// A settled delivery of a deleted order is not moved by anybody else: a retry needs its notification.
	return true, s.eraseRecord(ctx, id)
}

// eraseRecord takes all of the order out of the record of a settled delivery, and out of its Events. One that comes later is
// kept without its answer: see Record.
func (s *Store) eraseRecord(ctx context.Context, id string) error {
	shard, err := dispatcher.DeliveryShard(id)
	if err != nil {
		return err
	}
	for {
		seen, err := s.rdb.Get(ctx, deliveryKey(shard, id)).Result()
		if errors.Is(err, redis.Nil) {
			return nil
		}
		if err != nil {
			return unavailable("read delivery", err)
		}
		h, erased, err := erasedRecord(id, seen)
		if err != nil {
			return err
		}
		keys := []string{deliveryKey(shard, id), snapshotKey(shard, h.ChangeID)}
		done, err := replaceScript.Run(ctx, s.rdb, keys, seen, erased, s.retentionOf(h.Merchant).Milliseconds()).Bool()
		if err != nil {
			return unavailable("erase delivery", err)
		}
		if done {
			s.owed.drop(id)
			s.shared.drop(h.ChangeID)
			return nil
		}
	}
}

// erasedRecord is the record of a delivery without what it holds of the order.
func erasedRecord(id, record string) (h Held, erased []byte, err error) {
	p, err := splitRecord(id, record, false)
	if err != nil {
		return h, nil, err
	}
	if h, err = p.held(id); err != nil {
		return h, nil, err
	}
	attempts, err := decodeEvents(id, p.events)
	if err != nil {
		return h, nil, err
	}
	h.Evidence, h.Erased = nil, true
	if erased, err = encodeDelivery(h.Delivery, h.revision+1, payloadGone, nil); err != nil {
		return h, nil, err
	}
	for _, a := range attempts {
		event, err := encodeEvent(erasedAttempt(a))
		if err != nil {
			return h, nil, err
		}
		erased = append(erased, event...)
	}
	return h, erased, nil
}

// erasedAttempt is an attempt without what it holds of the order: the answer, and what may stand in the URL in place of a
// placeholder.
func erasedAttempt(a dispatcher.Attempt) dispatcher.Attempt {
	a.Body, a.Header, a.Truncated, a.URL = nil, nil, false, erasedURL(a.URL)
	return a
}

// erasedURL tells only where a request went.
func erasedURL(raw string) string {
	scheme, rest, _ := strings.Cut(raw, "://")
	authority, path, _ := strings.Cut(strings.ReplaceAll(rest, "?", "/"), "/")
	if path == "" || path == dispatcher.Redacted {
		return raw
	}
	return scheme + "://" + authority + "/" + dispatcher.Redacted
}
