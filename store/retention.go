package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
)

const trimChunk = 1000 // members removed at once: 40,000 at once blocked Redis for 91 ms

// retentionOf is how long Events and payloads of a merchant are kept after a delivery has settled.
func (s *Store) retentionOf(merchant string) time.Duration {
	if own := s.merchants[merchant]; own > 0 {
		return own
	}
	return s.retention
}

// Trim removes from every index what is older than its merchant's retention. Records and snapshots leave by themselves;
// this is for the indexes, which have no expiry of their own. It scans the keyspace in small steps and may be run by
// several processes at once, to no use but no harm.
func (s *Store) Trim(ctx context.Context) (removed int64, err error) {
	now := s.now()
	err = s.eachKeys(ctx, "td{s*}:[xh]:*", func(keys []string) error {
		for _, key := range keys {
			_, ref, ok := splitKey(key)
			if !ok {
				continue
			}
			n, err := s.trimKey(ctx, key, now.Add(-s.retentionOf(ref.Merchant)))
			removed += n
			if err != nil {
				return err
			}
		}
		return nil
	})
	return removed, err
}

func (s *Store) trimKey(ctx context.Context, key string, cut time.Time) (removed int64, err error) {
	for {
		var old []string
		if strings.Contains(key, "}:x:") {
			old, err = s.rdb.ZRangeArgs(ctx, redis.ZRangeArgs{Key: key, ByLex: true, Start: "-",
				Stop: "(" + timePrefix(cut), Count: trimChunk}).Result()
		} else {
			old, err = s.goneDeliveries(ctx, key, cut)
		}
		if err != nil {
			return removed, unavailable("trim", err)
		}
		if len(old) == 0 {
			return removed, nil
		}
		n, err := s.rdb.ZRem(ctx, key, anys(old)...).Result()
		if err != nil {
			return removed, unavailable("trim", err)
		}
		removed += n
		if len(old) < trimChunk {
			return removed, nil
		}
	}
}

// goneDeliveries lists what an order's history names although its record has expired.
func (s *Store) goneDeliveries(ctx context.Context, key string, cut time.Time) ([]string, error) {
	members, err := s.rdb.ZRangeArgs(ctx, redis.ZRangeArgs{Key: key, ByScore: true, Start: "-inf",
		Stop: millis(cut), Count: trimChunk}).Result()
	if err != nil || len(members) == 0 {
		return nil, err
	}
	ids := historyIDs(members)
	alive := map[string]bool{}
	held, err := s.Read(ctx, ids...)
	var bad *UnreadableError
	switch {
	case errors.As(err, &bad): // there they are, and the audit tells of them
		for _, id := range bad.IDs {
			alive[id] = true
		}
	case err != nil:
		return nil, err
	}
	for _, h := range held {
		alive[h.ID] = true
	}
	gone := members[:0]
	for i, id := range ids {
		if _, err := dispatcher.DeliveryShard(id); err != nil || !alive[id] {
			gone = append(gone, members[i])
		}
	}
	return gone, nil
}

func anys(texts []string) []any {
	all := make([]any, len(texts))
	for i, t := range texts {
		all[i] = t
	}
	return all
}
