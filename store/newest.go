package store

import (
	"container/heap"
	"context"

	"github.com/redis/go-redis/v9"
)

// newest tells the members of an index, which lies in many shards, from the newest on.
type newest struct {
	store  *Store
	since  string // end of every shard's range
	reads  int    // round trips
	shards []*shardIndex
	ahead  shardsByHead // those of which a member is known that was not told
	dry    bool         // some shard has more, and none is known
}

// shardIndex is an index in one shard, as far as it was read.
type shardIndex struct {
	key  string
	from string   // where its next page begins
	size int      // of that page; 0: there is none
	page []string // what was read and not told
}

func (s *Store) newest(q Query, plan queryPlan) *newest {
	// 64 shards bring many members, of which a page mostly needs the first few of each; of a shard that has more of them, twice
	// as many are read each time.
	n := &newest{store: s, since: lexSince(later(s.oldest(q.Merchant), q.From)), dry: true}
	size := min(firstPage+4*q.Limit/len(plan.shards), q.Limit+1, scanPage)
	for _, shard := range plan.shards {
		key := indexKey(shard, plan.merchant, plan.kind, plan.value)
		n.shards = append(n.shards, &shardIndex{key: key, from: lexBefore(q), size: size})
	}
	return n
}

// take tells the next members, fewer than asked for only when there are no more. It takes a round trip where a shard has been
// told as far as it was read.
func (n *newest) take(ctx context.Context, most int) (members []string, err error) {
	for len(members) < most {
		if n.dry {
			if err := n.read(ctx); err != nil {
				return nil, err
			}
		}
		if len(n.ahead) == 0 {
			break
		}
		next := n.ahead[0]
		members, next.page = append(members, next.page[0]), next.page[1:]
		if len(next.page) > 0 {
			heap.Fix(&n.ahead, 0)
			continue
		}
		heap.Pop(&n.ahead)
		n.dry = next.size > 0
	}
	return members, nil
}

// fewReads are enough for whoever wants the newest. Who looks at more than they brought looks at many.
const fewReads = 3

// read reads on, in one pipelined round trip, in every shard that has run dry; of a query that looks at many also in those of
// which half a page or less is left, or it would take a round trip for every page of every shard.
func (n *newest) read(ctx context.Context) error {
	var reading []*shardIndex
	for _, shard := range n.shards {
		if shard.size > 0 && (len(shard.page) == 0 || n.reads >= fewReads && len(shard.page) <= shard.size/2) {
			reading = append(reading, shard)
		}
	}
	n.reads++
	cmds := make([]*redis.StringSliceCmd, len(reading))
	err := n.store.pipelined(ctx, "read index", func(p redis.Pipeliner) {
		for i, shard := range reading {
			cmds[i] = p.ZRangeArgs(ctx, redis.ZRangeArgs{
				Key: shard.key, ByLex: true, Rev: true, Start: shard.from, Stop: n.since, Count: int64(shard.size),
			})
		}
	})
	if err != nil {
		return err
	}
	for i, shard := range reading {
		known := len(shard.page) > 0
		shard.add(cmds[i].Val())
		if !known && len(shard.page) > 0 {
			heap.Push(&n.ahead, shard)
		}
	}
	n.dry = false
	return nil
}

// add adds the page that was read.
func (s *shardIndex) add(page []string) {
	s.page = append(s.page, page...)
	if len(page) < s.size {
		s.size = 0
		return
	}
	s.from, s.size = "("+page[len(page)-1], min(2*s.size, scanPage)
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
