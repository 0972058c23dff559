package store

import (
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// cache keeps what was decoded last, up to a number of bytes, for as long as it is asked for. What it is asked by names
// something that never changes, so that nothing in it grows stale. It is safe for concurrent use.
type cache[K comparable, V any] struct {
	mu    sync.Mutex
	lru   *simplelru.LRU[K, *sized[V]]
	bytes int
	most  int
}

type sized[V any] struct {
	value V
	bytes int
	asked time.Time // for the last time
}

func newCache[K comparable, V any](most int) *cache[K, V] {
	c := &cache[K, V]{most: most}
	c.lru, _ = simplelru.NewLRU(math.MaxInt, func(_ K, gone *sized[V]) { c.bytes -= gone.bytes }) // fails only for a size of 0
	return c
}

func (c *cache[K, V]) get(key K, now time.Time) (value V, there bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, there := c.lru.Get(key)
	if !there {
		return value, false
	}
	found.asked = now
	return found.value, true
}

// put keeps a value of about so many bytes, and drops for it what was not asked for the longest.
func (c *cache[K, V]) put(key K, value V, bytes int, now time.Time) {
	if bytes > c.most {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lru.Remove(key)
	c.lru.Add(key, &sized[V]{value, bytes, now})
	for c.bytes += bytes; c.bytes > c.most; {
		c.lru.RemoveOldest()
	}
}

func (c *cache[K, V]) drop(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lru.Remove(key)
}

// dropOld drops what was not asked for since.
func (c *cache[K, V]) dropOld(since time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		_, oldest, there := c.lru.GetOldest()
		if !there || !oldest.asked.Before(since) {
			return
		}
		c.lru.RemoveOldest()
	}
}
