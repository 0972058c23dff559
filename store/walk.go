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
	cursors := map[int]string{} // shard -> where its next page begins
	for _, shard := range plan.shards {
		cursors[shard] = lexBefore(q)
	}
	// 64 shards bring many members, of which a page mostly needs the first few of each; whoever looks for the rare, or has
	// all in few shards, soon looks at many at once.
	size := min(firstPage+4*q.Limit/dispatcher.Shards, q.Limit+1, scanPage)
	look := min(q.Limit+1, lookMost)
	for len(cursors) > 0 {
		members, err := s.nextMembers(ctx, plan, q, cursors, int64(size))
		if err != nil {
			return err
		}
		size = min(2*size, scanPage)
		for len(members) > 0 {
			n := min(look, len(members))
			found := members[:n]
			if plan.kind != indexAll {
				if found, err = s.inIndexOfAll(ctx, q.Merchant, found); err != nil {
					return err
				}
			}
			entries, err := s.readEntries(ctx, found)
			if err != nil {
				return err
			}
			for _, e := range entries {
				if !fn(e.Entry, q.matches(e.Entry)) {
					return nil
				}
			}
			members, look = members[n:], min(2*look, lookMost)
		}
	}
	return nil
}

// nextMembers fetches a page from every shard that has more and returns the members that are certainly the newest of
// all shards, moving the cursors behind them; exhausted shards leave cursors. One pipelined round trip.
func (s *Store) nextMembers(ctx context.Context, plan queryPlan, q Query, cursors map[int]string, size int64) ([]string, error) {
	cmds := map[int]*redis.StringSliceCmd{}
	err := s.pipelined(ctx, "read index", func(p redis.Pipeliner) {
		for shard, from := range cursors {
			cmds[shard] = p.ZRangeArgs(ctx, redis.ZRangeArgs{
				Key: indexKey(shard, plan.merchant, plan.kind, plan.value), ByLex: true, Rev: true,
				Start: from, Stop: lexSince(later(s.oldest(q.Merchant), q.From)), Count: size,
			})
		}
	})
	if err != nil {
		return nil, err
	}
	var members []string
	horizon := "" // what is older than this may still have newer siblings in a shard that has more
	for shard, cmd := range cmds {
		got := cmd.Val()
		members = append(members, got...)
		if int64(len(got)) < size {
			delete(cursors, shard)
			continue
		}
		horizon = max(horizon, got[len(got)-1])
	}
	slices.SortFunc(members, func(a, b string) int { return strings.Compare(b, a) })
	sure := members
	for i, m := range members {
		if m < horizon {
			sure = members[:i]
			break
		}
	}
	for shard, cmd := range cmds {
		got := cmd.Val()
		kept := 0
		for kept < len(got) && got[kept] >= horizon {
			kept++
		}
		if kept < len(got) { // not all of this page was used: the shard goes on behind what was
			cursors[shard] = "(" + sure[len(sure)-1]
		} else if _, more := cursors[shard]; more {
			cursors[shard] = "(" + got[len(got)-1]
		}
	}
	return sure, nil
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
		eq(q.Target, targetOf(a.URL)) && statusMatches(q.StatusCode, a.StatusCode) &&
		(q.From.IsZero() || !a.ID.Time().Before(q.From)) && (q.To.IsZero() || a.ID.Time().Before(q.To))
}

func statusMatches(want string, code int) bool {
	if class, ok := strings.CutSuffix(want, "xx"); ok {
		return code/100 > 0 && strconv.Itoa(code/100) == class
	}
	return want == "" || want == strconv.Itoa(code)
}
