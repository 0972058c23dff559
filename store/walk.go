package store

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
)

// walk calls fn with the Events of the best index, newest first, and whether the query means them, until it returns false.
func (s *Store) walk(ctx context.Context, q Query, fn func(e Entry, meant bool) bool) error {
	if q.DeliveryID != "" {
		return s.walkDelivery(ctx, q, fn)
	}
	plan := s.planQuery(q)
	index, look := s.newest(q, plan), min(q.Limit+1, lookMost)
	for {
		members, err := index.take(ctx, look)
		if err != nil || len(members) == 0 {
			return err
		}
		if plan.kind != indexAll {
			if members, err = s.inIndexOfAll(ctx, q.Merchant, members); err != nil {
				return err
			}
		}
		entries, err := s.readEntries(ctx, members)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if !fn(e.Entry, q.matches(e.Entry)) {
				return nil
			}
		}
		look = min(2*look, lookMost)
	}
}

// inIndexOfAll looks Events up by their ids, in one pipelined round trip; those that have left by retention are left out.
func (s *Store) inIndexOfAll(ctx context.Context, merchant string, ids []string) ([]string, error) {
	cmds := make([]*redis.StringSliceCmd, len(ids))
	err := s.pipelined(ctx, "find events", func(p redis.Pipeliner) {
		for i, id := range ids {
			cmds[i] = s.lookUp(ctx, p, merchant, dispatcher.EventID([]byte(id)))
		}
	})
	if err != nil {
		return nil, err
	}
	members := make([]string, 0, len(ids))
	for _, cmd := range cmds {
		members = append(members, cmd.Val()...)
	}
	return members, nil
}

// lookUp asks the index of all for the member of one Event.
func (s *Store) lookUp(ctx context.Context, rdb redis.Cmdable, merchant string, event dispatcher.EventID) *redis.StringSliceCmd {
	return rdb.ZRangeArgs(ctx, redis.ZRangeArgs{
		Key: indexKey(event.Shard(), merchant, indexAll, ""), ByLex: true,
		Start: "[" + string(event[:]), Stop: "[" + string(event[:]) + strings.Repeat("\xff", 17), Count: 1,
	})
}

func (s *Store) walkDelivery(ctx context.Context, q Query, fn func(e Entry, meant bool) bool) error {
	held, attempts, err := s.Delivery(ctx, q.Merchant, q.DeliveryID)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	slices.Reverse(attempts)
	for _, a := range attempts {
		e := Entry{held.Delivery, a}
		if a.ID.Time().Before(s.oldest(q.Merchant)) || q.Before != nil && compareEvents(a.ID, *q.Before) >= 0 {
			continue
		}
		if !fn(e, q.matches(e)) {
			return nil
		}
	}
	return nil
}

func (s *Store) cardinality(ctx context.Context, plan queryPlan) (int64, error) {
	var cmds []*redis.IntCmd
	err := s.pipelined(ctx, "count index", func(p redis.Pipeliner) {
		for _, shard := range plan.shards {
			key := indexKey(shard, plan.merchant, plan.kind, plan.value)
			cmds = append(cmds, p.ZLexCount(ctx, key, lexSince(s.oldest(plan.merchant)), "+"))
		}
	})
	var total int64
	for _, cmd := range cmds {
		total += cmd.Val()
	}
	return total, err
}

// lexBefore is the upper end of a BYLEX range for the query.
func lexBefore(q Query) string {
	upper := "+"
	if !q.To.IsZero() {
		upper = "(" + timePrefix(q.To.Add(time.Millisecond-1)) // ids tell whole milliseconds: the one that To lies in is asked for
	}
	if q.Before != nil {
		before := "(" + string(q.Before[:])
		if upper == "+" || before < upper {
			upper = before
		}
	}
	return upper
}

// lexSince is the lower end of a BYLEX range.
func lexSince(since time.Time) string { return "[" + timePrefix(since) }

// oldest is the time of a merchant's oldest Event that is told: what is older than its retention is not, trimmed or not.
func (s *Store) oldest(merchant string) time.Time {
	return s.now().Add(-s.retentionOf(merchant)).Truncate(time.Millisecond)
}

// timePrefix is the first six bytes of every Event id made at that millisecond.
func timePrefix(t time.Time) string {
	id := dispatcher.NewEventID(t, 0)
	return string(id[:6])
}

func (q Query) matches(e Entry) bool {
	d, a := e.Delivery, e.Attempt
	eq := func(want, have string) bool { return want == "" || want == have }
	return eq(q.OrderID, d.OrderID) && eq(q.NotificationID, d.NotificationID) && eq(q.DeliveryID, d.ID) &&
		eq(q.AdapterID, d.AdapterID) && eq(q.Reference, d.Reference) && eq(q.Channel, d.Channel) &&
		(q.Scope == "" || slices.Contains(d.Scope, q.Scope)) &&
		eq(string(q.Outcome), string(a.Outcome)) && eq(string(q.Reason), string(a.Reason)) &&
		statusMatches(q.StatusCode, a.StatusCode) &&
		(q.From.IsZero() || !a.ID.Time().Before(q.From)) && (q.To.IsZero() || a.ID.Time().Before(q.To)) &&
		(q.Target == "" || q.Target == targetOf(a.URL))
}

// targetOf is the target of a URL as recorded, whose host may be redacted; "" when it names none.
func targetOf(url string) string {
	target, _ := dispatcher.TargetOf(url)
	return target
}

func statusMatches(want string, code int) bool {
	if class, ok := strings.CutSuffix(want, "xx"); ok {
		return code/100 > 0 && strconv.Itoa(code/100) == class
	}
	return want == "" || want == strconv.Itoa(code)
}
