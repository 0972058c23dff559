package store

import (
	"context"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
)

// Overdue returns up to perShard deliveries of each shard that should have moved by now. One pipelined round trip.
func (s *Store) Overdue(ctx context.Context, perShard int64) ([]string, error) {
	upTo := strconv.FormatInt(millis(s.now()), 10)
	cmds := make([]*redis.StringSliceCmd, dispatcher.Shards)
	err := s.pipelined(ctx, "read due", func(p redis.Pipeliner) {
		for shard := range cmds {
			cmds[shard] = p.ZRangeByScore(ctx, dueKey(shard), &redis.ZRangeBy{Min: "-inf", Max: upTo, Count: perShard})
		}
	})
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, cmd := range cmds {
		ids = append(ids, cmd.Val()...)
	}
	return ids, nil
}

// NextDue returns when the first of all open deliveries must have moved; the zero time: none is open. One pipelined round trip.
//
// What is committed, claimed, recorded or reopened after it was asked becomes due no sooner than the store's grace.
func (s *Store) NextDue(ctx context.Context) (next time.Time, err error) {
	cmds := make([]*redis.ZSliceCmd, dispatcher.Shards)
	err = s.pipelined(ctx, "read next due", func(p redis.Pipeliner) {
		for shard := range cmds {
			cmds[shard] = p.ZRangeWithScores(ctx, dueKey(shard), 0, 0)
		}
	})
	if err != nil {
		return time.Time{}, err
	}
	for _, cmd := range cmds {
		for _, first := range cmd.Val() {
			if at := fromMillis(int64(math.Ceil(first.Score))); next.IsZero() || at.Before(next) {
				next = at
			}
		}
	}
	return next, nil
}

// Defer sets when the sweep shall look at an overdue delivery again. One that has moved since (a worker claimed it) keeps
// the time that this gave it.
func (s *Store) Defer(ctx context.Context, id string, until time.Time) error {
	shard, err := dispatcher.DeliveryShard(id)
	if err != nil {
		return err
	}
	return unavailable("defer", deferScript.Run(ctx, s.rdb, []string{dueKey(shard)}, id, millis(s.now()), millis(until)).Err())
}

// Forget drops a delivery from the due index: one that is settled or gone. An open one stays: it may have been reopened
// since the caller looked.
func (s *Store) Forget(ctx context.Context, id string) error {
	shard, err := dispatcher.DeliveryShard(id)
	if err != nil {
		return err
	}
	return unavailable("forget", forgetScript.Run(ctx, s.rdb, []string{deliveryKey(shard, id), dueKey(shard)}, id).Err())
}

// Backlog counts open deliveries, and those of them that should have moved by now.
func (s *Store) Backlog(ctx context.Context) (open, overdue int64, err error) {
	upTo := strconv.FormatInt(millis(s.now()), 10)
	var all, late [dispatcher.Shards]*redis.IntCmd
	err = s.pipelined(ctx, "count due", func(p redis.Pipeliner) {
		for shard := range all {
			all[shard] = p.ZCard(ctx, dueKey(shard))
			late[shard] = p.ZCount(ctx, dueKey(shard), "-inf", upTo)
		}
	})
	if err != nil {
		return 0, 0, err
	}
	for shard := range all {
		open += all[shard].Val()
		overdue += late[shard].Val()
	}
	return open, overdue, nil
}

// Waits reports whether an open delivery waits behind another in its lane; if so it is put off until the next check.
func (s *Store) Waits(ctx context.Context, d dispatcher.Delivery) (bool, error) {
	head, err := s.rdb.LIndex(ctx, laneKey(d.Ref(), d.NotificationID), 0).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return false, unavailable("read lane", err)
	}
	if head == "" || head == d.ID {
		return false, nil
	}
	return true, s.Defer(ctx, d.ID, s.now().Add(waitingCheck))
}
