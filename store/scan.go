package store

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
)

// scanPageKeys is how many keys one step of a scan looks at.
const scanPageKeys = 500

// eachKeys calls fn with the keys that a pattern matches, page by page, one page at a time, on whatever node they are.
// A key may come twice; one that is there from the beginning to the end of the scan comes at least once.
func (s *Store) eachKeys(ctx context.Context, pattern string, fn func(keys []string) error) error {
	var one sync.Mutex // nodes of a cluster are scanned at once
	scan := func(ctx context.Context, rdb redis.Cmdable) error {
		for cursor := uint64(0); ; {
			keys, next, err := rdb.Scan(ctx, cursor, pattern, scanPageKeys).Result()
			if err != nil {
				return unavailable("scan", err)
			}
			if len(keys) > 0 {
				one.Lock()
				err := fn(keys)
				one.Unlock()
				if err != nil {
					return err
				}
			}
			if cursor = next; cursor == 0 {
				return nil
			}
		}
	}
	if cluster, ok := s.rdb.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return scan(ctx, node) })
	}
	return scan(ctx, s.rdb)
}
