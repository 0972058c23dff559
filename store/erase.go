package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

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
	reply, err := eraseScript.Run(ctx, s.rdb, keys, state.token, text).Text()
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
			if _, err := s.eraseOrder(ctx, shard, text); err != nil {
				return err
			}
		}
	}
	return nil
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
	ids, err := s.rdb.ZRange(ctx, history, 0, -1).Result()
	if err != nil {
		return false, unavailable("read history", err)
	}
	done = true
	// Newest first: settling the head of a lane before those behind it would only make them due for nothing.
	slices.Reverse(ids)
	for _, id := range ids {
		erased, err := s.eraseDelivery(ctx, id)
		if err != nil {
			return false, err
		}
		done = done && erased
	}
	if !done {
		return false, nil
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
	to := h.Delivery
	to.Evidence, to.Erased = nil, true
	record, err := encodeDelivery(to, h.revision+1)
	if err != nil {
		return false, err
	}
	fields, err := s.rdb.HGetAll(ctx, deliveryKey(h.Ref().Shard(), id)).Result()
	if err != nil {
		return false, unavailable("read delivery", err)
	}
	attempts, err := decodeAttempts(fields)
	if err != nil {
		return false, err
	}
	values := []any{"r", record}
	for _, a := range attempts {
		text, err := encodeAttempt(erasedAttempt(a))
		if err != nil {
			return false, err
		}
		values = append(values, eventField(a.ID), text)
	}
	shard := h.Ref().Shard()
	s.snapshots.drop(changeOf{h.Ref(), h.ChangeID})
	// A settled delivery of a deleted order is not moved by anybody else: a retry needs its notification.
	return true, s.pipelined(ctx, "erase delivery", func(p redis.Pipeliner) {
		p.HSet(ctx, deliveryKey(shard, id), values...)
		p.PExpire(ctx, deliveryKey(shard, id), s.retentionOf(h.Merchant)) // it may have expired since it was read
		p.Del(ctx, snapshotKey(shard, h.ChangeID))
	})
}

// erasedAttempt is an attempt without what it holds of the order.
func erasedAttempt(a dispatcher.Attempt) dispatcher.Attempt {
	a.Body, a.Header, a.Truncated = nil, nil, false
	return a
}

// eraseLate takes the answer out of an Event that came late to a delivery which has been erased meanwhile.
func (s *Store) eraseLate(ctx context.Context, id string, a dispatcher.Attempt) error {
	held, err := s.Read(ctx, id)
	if err != nil || len(held) == 0 || !held[0].Erased {
		return err
	}
	text, err := encodeAttempt(erasedAttempt(a))
	if err != nil {
		return err
	}
	return unavailable("erase event", s.rdb.HSet(ctx, deliveryKey(held[0].Ref().Shard(), id), eventField(a.ID), text).Err())
}
