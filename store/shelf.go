package store

import (
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// shelf keeps values that are asked for in about the order in which they came, up to a number of bytes. So when it is full
// what came first stays, for it is asked for next: had it to make room for the newest, a backlog would find nothing of its
// own here. Only what has been here for longer than stay is no longer waited for. It is safe for concurrent use.
type shelf[V any] struct {
	mu    sync.Mutex
	byAge *simplelru.LRU[string, shelved[V]] // never asked by Get, so the oldest is what came first
	bytes int
	most  int
	stay  time.Duration
}

type shelved[V any] struct {
	value V
	bytes int
	since time.Time
}

func newShelf[V any](most int, stay time.Duration) *shelf[V] {
	s := &shelf[V]{most: most, stay: stay}
	s.byAge, _ = simplelru.NewLRU(math.MaxInt, func(_ string, gone shelved[V]) { s.bytes -= gone.bytes }) // fails only for a size of 0
	return s
}

func (s *shelf[V]) get(key string) (value V, there bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, there := s.byAge.Peek(key)
	return found.value, there
}

// put keeps a value of about so many bytes, if there is room for it.
func (s *shelf[V]) put(key string, value V, bytes int, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byAge.Remove(key)
	s.removeOld(now)
	if s.bytes+bytes <= s.most {
		s.byAge.Add(key, shelved[V]{value, bytes, now})
		s.bytes += bytes
	}
}

func (s *shelf[V]) drop(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byAge.Remove(key)
}

// dropOld drops what has been here for longer than stay, also while nothing is put.
func (s *shelf[V]) dropOld(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeOld(now)
}

func (s *shelf[V]) removeOld(now time.Time) {
	for {
		_, oldest, there := s.byAge.GetOldest()
		if !there || now.Sub(oldest.since) <= s.stay {
			return
		}
		s.byAge.RemoveOldest()
	}
}
