package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
)

// Move is one step of a delivery.
type Move struct {
	From    Held
	To      dispatcher.Delivery
	Attempt *dispatcher.Attempt // nil: no Event
	// UnlessLate: the Event is of somebody else's attempt, which whoever moved the delivery first has told of. Others are kept in any
	// case when a request may have gone out.
	UnlessLate bool
	// Due is when the delivery must have moved again; not used when To is terminal. The zero time means: its next
	// attempt and the grace.
	Due time.Time
	// At is when the Move was made: the lane's next has the grace from then on, when it is released. The zero time means now.
	// A Move that is written again because no answer came needs the same, or what the first run released is not recognised.
	At time.Time
	// Follow claims the lane's next along with the end of this one, if that is to be attempted for the first time.
	Follow Follow
}

// Moved is what a Move did.
type Moved struct {
	Late bool   // somebody else moved the delivery first: at most the Event was kept
	Held Held   // as it is now; not set when Late
	Next string // id of the lane's next, when it was released
	next next
}

// Record writes a Move: the Event into the delivery and every index, the new state, the lane's next. One round trip.
func (s *Store) Record(ctx context.Context, m Move) (Moved, error) {
	d := m.To
	shard := d.Ref().Shard()
	head, progress, err := encodeMove(d, m.From.revision+1)
	if err != nil {
		return Moved{}, err
	}
	now := s.now()
	due := any("")
	if !d.Status.Terminal() {
		at := m.Due
		if at.IsZero() {
			at = later(now, d.NextAttemptAt).Add(s.grace)
		}
		due = millis(at)
	}
	call := newCall(recordScript, 30+len(d.Scope))
	call.addKeys(deliveryKey(shard, d.ID), dueKey(shard), laneKey(d.Ref(), d.NotificationID), snapshotKey(shard, d.ChangeID), notificationsKey(d.Ref()))
	event, member, always := []byte{}, "", ""
	if a := m.Attempt; a != nil {
		if !m.UnlessLate {
			always = keptAlways(a)
		}
		if event, err = encodeEvent(*a); err != nil {
			return Moved{}, err
		}
		if member, err = indexMember(a.ID, d.ID); err != nil {
			return Moved{}, err
		}
		addIndexKeys(call, shard, d, a.Outcome)
	}
	released := m.At
	if released.IsZero() {
		released = now
	}
	followAt, followUntil := m.Follow.args()
	whole := s.lacking.Load() > 0
	call.addArgs(m.From.head, head, progress, d.ID, due, flag(d.InLane()),
		millis(released.Add(s.grace)), s.retentionOf(d.Merchant).Milliseconds(), event, member, always,
		deliveryKey(shard, ""), followAt, followUntil, d.NotificationID, flag(whole))
	reply, err := call.run(ctx, s.rdb).StringSlice()
	if err != nil {
		return Moved{}, unavailable("record", err)
	}
	switch reply[0] {
	case "ok":
		if d.Status.Terminal() {
			s.owed.drop(d.ID)
		}
		return Moved{Held: heldAs(d, m.From.revision+1, string(head), m.From.payload), Next: reply[1], next: readNext(reply[2:], whole)}, nil
	case "late":
		return Moved{Late: true}, nil
	case "erased":
		bare := erasedAttempt(*m.Attempt)
		m.Attempt = &bare
		return s.Record(ctx, m)
	}
	return Moved{}, fmt.Errorf("record delivery %s: %w", d.ID, dispatcher.ErrNotFound)
}

// keptAlways tells the script whether the Event is kept though somebody else moved the delivery first: when a request may have
// gone out. One with an answer, or with a URL that may be made of the order, is refused once that has been erased, and is to be
// told without.
func keptAlways(a *dispatcher.Attempt) string {
	switch {
	case a.Sent == dispatcher.SentNo:
		return ""
	case a.Body == nil && a.Header == nil && a.URL == erasedURL(a.URL):
		return "2"
	}
	return "1"
}

// encodeMove is what a move writes anew of a record.
func encodeMove(to dispatcher.Delivery, revision int) (head, progress []byte, err error) {
	if head, err = appendHead(make([]byte, 0, headBytes), to, revision); err != nil {
		return nil, nil, err
	}
	progress, err = encodeProgress(to)
	return head, progress, err
}

// Settle ends a delivery without an attempt and records an Event that says why. Who insists on it makes the Settlement once,
// and records that.
func (s *Store) Settle(ctx context.Context, h Held, status dispatcher.Status, reason dispatcher.Reason) (Moved, error) {
	return s.Record(ctx, s.Settlement(h, status, reason))
}

// Settlement is the Move that ends a delivery without an attempt, with the Event that says why.
func (s *Store) Settlement(h Held, status dispatcher.Status, reason dispatcher.Reason) Move {
	now := s.now()
	event := h.Settlement(reason, now)
	to := h.Delivery
	to.Status, to.Reason, to.SettledAt = status, reason, now
	if h.WasDelivered {
		to.Status = dispatcher.StatusDelivered // what came of a forced retry takes nothing away from that
	}
	to.ClaimedAt, to.NextAttemptAt = noTime, noTime
	return Move{From: h, To: to, Attempt: &event, At: now}
}

// Reopen makes a delivery due under a new generation, which To carries. ErrConflict: somebody moved it first.
func (s *Store) Reopen(ctx context.Context, from Held, to dispatcher.Delivery) error {
	shard := to.Ref().Shard()
	head, progress, err := encodeMove(to, from.revision+1)
	if err != nil {
		return err
	}
	keys := []string{deliveryKey(shard, to.ID), dueKey(shard), snapshotKey(shard, to.ChangeID)}
	reply, err := reopenScript.Run(ctx, s.rdb, keys, from.head, head, progress, to.ID, millis(s.now().Add(s.grace)),
		flag(from.Status.Terminal())).Text()
	switch {
	case err != nil:
		return unavailable("reopen", err)
	case reply == "conflict":
		return fmt.Errorf("delivery %s: %w", to.ID, dispatcher.ErrConflict)
	case reply == "payload_gone":
		return fmt.Errorf("delivery %s: %w", to.ID, dispatcher.ErrPayloadGone)
	}
	return nil
}

// UnreadableError names deliveries whose records cannot be read: written by a newer version, or broken. The others that
// were asked for are returned beside it.
type UnreadableError struct{ IDs []string }

// Error implements error.
func (e *UnreadableError) Error() string {
	return fmt.Sprintf("%d delivery records cannot be read, the first is %s", len(e.IDs), e.IDs[0])
}

// Unclaimed returns those of the deliveries that are open and that nobody has claimed, as their heads tell. One pipelined round trip.
func (s *Store) Unclaimed(ctx context.Context, ids ...string) (unclaimed []string, err error) {
	heads := make([]*redis.StringCmd, len(ids))
	err = s.pipelined(ctx, "read heads of deliveries", func(p redis.Pipeliner) {
		for i, id := range ids {
			shard, _ := dispatcher.DeliveryShard(id) // of what is no id in shard 0, where it is missing
			heads[i] = p.GetRange(ctx, deliveryKey(shard, id), 0, headBytes-1)
		}
	})
	for i, head := range heads {
		if err == nil && len(head.Val()) == headBytes {
			h, bad := parseHead(dispatcher.Delivery{ID: ids[i]}, head.Val())
			if bad == nil && !h.Status.Terminal() && h.ClaimedAt.IsZero() {
				unclaimed = append(unclaimed, ids[i])
			}
		}
	}
	return unclaimed, err
}

// Read returns deliveries by id in one round trip; those that do not exist are left out, those that cannot be read are
// named by an UnreadableError.
func (s *Store) Read(ctx context.Context, ids ...string) ([]Held, error) {
	cmds := make([]*redis.StringCmd, 0, len(ids))
	err := s.pipelined(ctx, "read deliveries", func(p redis.Pipeliner) {
		for _, id := range ids {
			shard, err := dispatcher.DeliveryShard(id)
			if err != nil {
				shard = 0 // reads as missing
			}
			cmds = append(cmds, p.Get(ctx, deliveryKey(shard, id)))
		}
	})
	if err != nil {
		return nil, err
	}
	var held []Held
	var unreadable []string
	for i, cmd := range cmds {
		if errors.Is(cmd.Err(), redis.Nil) {
			continue
		}
		h, err := decodeDelivery(ids[i], cmd.Val())
		if err != nil {
			unreadable = append(unreadable, ids[i])
			continue
		}
		held = append(held, h)
	}
	if len(unreadable) > 0 {
		return held, &UnreadableError{unreadable}
	}
	return held, nil
}

// Delivery returns a merchant's delivery with its attempts, oldest first, its status told as a merchant sees it:
// an open one that is not the head of its lane is waiting.
func (s *Store) Delivery(ctx context.Context, merchant, id string) (Held, []dispatcher.Attempt, error) {
	missing := fmt.Errorf("delivery %s: %w", id, dispatcher.ErrNotFound)
	shard, err := dispatcher.DeliveryShard(id)
	if err != nil {
		return Held{}, nil, err
	}
	record, err := s.rdb.Get(ctx, deliveryKey(shard, id)).Result()
	if errors.Is(err, redis.Nil) {
		return Held{}, nil, missing
	}
	if err != nil {
		return Held{}, nil, unavailable("read delivery", err)
	}
	p, err := splitRecord(id, record, false)
	if err != nil {
		return Held{}, nil, err
	}
	h, err := p.held(id)
	if err != nil {
		return Held{}, nil, err
	}
	if h.Merchant != merchant {
		return Held{}, nil, missing
	}
	attempts, err := decodeEvents(id, p.events)
	if err != nil {
		return Held{}, nil, err
	}
	if !h.Status.Terminal() && h.InLane() {
		head, err := s.rdb.LIndex(ctx, laneKey(h.Ref(), h.NotificationID), 0).Result()
		if err != nil && !errors.Is(err, redis.Nil) {
			return Held{}, nil, unavailable("read lane", err)
		}
		if head != "" && head != id {
			h.Status = dispatcher.StatusWaiting
		}
	}
	return h, attempts, nil
}

// LaneBetween returns the deliveries of a lane between its head and its newest: those that "latest" drops.
func (s *Store) LaneBetween(ctx context.Context, ref dispatcher.OrderRef, notificationID string) ([]string, error) {
	ids, err := s.rdb.LRange(ctx, laneKey(ref, notificationID), 1, -2).Result()
	return ids, unavailable("read lane", err)
}

// OpenDeliveries returns the order's deliveries that are not settled, oldest first.
func (s *Store) OpenDeliveries(ctx context.Context, ref dispatcher.OrderRef) ([]Held, error) {
	members, err := s.rdb.ZRange(ctx, historyKey(ref), 0, -1).Result()
	if err != nil {
		return nil, unavailable("read history", err)
	}
	all, err := s.Read(ctx, historyIDs(members)...)
	if err != nil && !isUnreadable(err) {
		return nil, err
	}
	open := all[:0]
	for _, h := range all {
		if !h.Status.Terminal() {
			open = append(open, h)
		}
	}
	return open, nil
}

func isUnreadable(err error) bool {
	var unreadable *UnreadableError
	return errors.As(err, &unreadable)
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return ""
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
