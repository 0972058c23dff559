package store

import (
	"container/heap"
	"context"

	"github.com/redis/go-redis/v9"
)

// newest tells the members of an index, which lies in many shards, from the newest on.
type newest struct {
	store *Store
	since string        // end of every shard's range
	ahead shardsByHead  // those of which a member is known that was not told
	dry   []*shardIndex // those of which the next page has to be read first
}

// shardIndex is an index in one shard, as far as it was read.
type shardIndex struct {
	key  string
	from string   // where its next page begins
	size int      // of that page
	page []string // what was read and not told
}

func (s *Store) newest(q Query, plan queryPlan) *newest {
	n := &newest{store: s, since: lexSince(later(s.oldest(q.Merchant), q.From))}
	// 64 shards bring many members, of which a page mostly needs the first few of each; of a shard that has more of them, twice
	// as many are read each time.
	size := min(firstPage+4*q.Limit/len(plan.shards), q.Limit+1, scanPage)
	for _, shard := range plan.shards {
		n.dry = append(n.dry, &shardIndex{key: indexKey(shard, plan.merchant, plan.kind, plan.value), from: lexBefore(q), size: size})
	}
	return n
}

// take tells the next members, fewer than asked for only when there are no more. It takes a round trip where a shard has been
// told as far as it was read, and reads on in such shards alone.
func (n *newest) take(ctx context.Context, most int) (members []string, err error) {
	for len(members) < most {
		if len(n.dry) > 0 {
			if err := n.read(ctx); err != nil {
				return nil, err
			}
		}
		if len(n.ahead) == 0 {
			break
		}
		first := n.ahead[0]
		members, first.page = append(members, first.page[0]), first.page[1:]
		switch {
		case len(first.page) > 0:
			heap.Fix(&n.ahead, 0)
		case first.size == 0:
			heap.Pop(&n.ahead)
		default:
			n.dry = append(n.dry, heap.Pop(&n.ahead).(*shardIndex))
		}
	}
	return members, nil
}

// read reads the next page of every shard that is dry, in one pipelined round trip.
func (n *newest) read(ctx context.Context) error {
	cmds := make([]*redis.StringSliceCmd, len(n.dry))
	err := n.store.pipelined(ctx, "read index", func(p redis.Pipeliner) {
		for i, shard := range n.dry {
			cmds[i] = p.ZRangeArgs(ctx, redis.ZRangeArgs{
				Key: shard.key, ByLex: true, Rev: true, Start: shard.from, Stop: n.since, Count: int64(shard.size),
			})
		}
	})
	if err != nil {
		return err
	}
	for i, shard := range n.dry {
		shard.page = cmds[i].Val()
		if len(shard.page) < shard.size {
			shard.size = 0 // that was all
		} else {
			shard.from, shard.size = "("+shard.page[len(shard.page)-1], min(2*shard.size, scanPage)
		}
		if len(shard.page) > 0 {
			heap.Push(&n.ahead, shard)
		}
	}
	n.dry = n.dry[:0]
	return nil
}

// shardsByHead is a heap of shards by the newest member of each, the newest first.
type shardsByHead []*shardIndex

func (s shardsByHead) Len() int           { return len(s) }
func (s shardsByHead) Less(i, j int) bool { return s[i].page[0] > s[j].page[0] }
func (s shardsByHead) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }

// Push implements heap.Interface.
func (s *shardsByHead) Push(shard any) { *s = append(*s, shard.(*shardIndex)) }

// Pop implements heap.Interface.
func (s *shardsByHead) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}
