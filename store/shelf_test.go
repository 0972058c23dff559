package store_test

import (
	"testing"
	"time"

	"github.com/tidings/tidings/store"
)

func TestOfAFullShelfWhatCameFirstStays(t *testing.T) {
	t.Parallel()
	s := store.NewShelf(100, time.Minute)
	now := time.Unix(0, 0)
	holds := func(when string, want map[string]int, bytes int) {
		t.Helper()
		for key, want := range want {
			if value, there := s.Get(key); value != want || there != (want != 0) {
				t.Errorf("%s, %s: %d, %v; want %d", when, key, value, there, want)
			}
		}
		if s.Bytes() != bytes {
			t.Errorf("%s: %d bytes; want %d", when, s.Bytes(), bytes)
		}
	}
	s.Put("a", 1, 40, now)
	s.Put("b", 2, 60, now.Add(time.Second))
	s.Put("c", 3, 40, now.Add(time.Minute))
	holds("full", map[string]int{"a": 1, "b": 2, "c": 0}, 100)
	s.Drop("a")
	s.Drop("a")
	s.Put("c", 3, 40, now.Add(time.Minute))
	holds("with room again", map[string]int{"a": 0, "b": 2, "c": 3}, 100)
	s.Put("c", 4, 30, now.Add(time.Minute+time.Second))
	holds("one put anew", map[string]int{"b": 2, "c": 4}, 90)
	s.Put("d", 5, 80, now.Add(time.Minute+2*time.Second))
	holds("when the first has stayed too long", map[string]int{"b": 0, "c": 4, "d": 0}, 30)
	s.Put("d", 5, 70, now.Add(time.Minute+2*time.Second))
	holds("with room for all", map[string]int{"c": 4, "d": 5}, 100)
	s.DropOld(now.Add(2*time.Minute + time.Second))
	holds("while nothing has stayed for longer than a minute", map[string]int{"c": 4, "d": 5}, 100)
	s.DropOld(now.Add(2*time.Minute + 2*time.Second))
	holds("when one has", map[string]int{"c": 0, "d": 5}, 70)
	s.DropOld(now.Add(time.Hour))
	holds("when all have", map[string]int{"d": 0}, 0)
}
