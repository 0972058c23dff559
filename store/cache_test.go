package store_test

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

func TestCacheKeepsWhatWasAskedForLastUpToItsBytes(t *testing.T) {
	t.Parallel()
	c, now := store.NewCache(100), time.Unix(0, 0)
	c.Put("a", 1, 40, now)
	c.Put("b", 2, 40, now)
	if _, there := c.Get("a", now); !there {
		t.Error("a is gone")
	}
	c.Put("c", 3, 40, now) // b was not asked for the longest
	c.Put("a", 4, 50, now) // in the place of the first
	c.Put("huge", 5, 101, now)
	for key, want := range map[string]int{"a": 4, "b": 0, "c": 3, "huge": 0} {
		if value, there := c.Get(key, now); value != want || there != (want != 0) {
			t.Errorf("%s: %d, %v; want %d", key, value, there, want)
		}
	}
	if c.Bytes() != 90 {
		t.Errorf("%d bytes; want 90", c.Bytes())
	}
	c.Drop("a")
	c.Drop("a")
	if _, there := c.Get("a", now); there || c.Bytes() != 40 {
		t.Errorf("dropped: there %v, %d bytes", there, c.Bytes())
	}
}

func TestCacheDropsWhatNobodyAsksFor(t *testing.T) {
	t.Parallel()
	c, now := store.NewCache(100), time.Unix(0, 0)
	c.Put("a", 1, 10, now)
	c.Put("b", 2, 20, now)
	c.Put("c", 3, 30, now.Add(time.Second))
	c.Get("a", now.Add(2*time.Second))
	c.DropOld(now.Add(time.Second))
	for key, want := range map[string]int{"a": 1, "b": 0, "c": 3} {
		if value, _ := c.Get(key, now); value != want {
			t.Errorf("%s: %d; want %d", key, value, want)
		}
	}
	if c.Bytes() != 40 {
		t.Errorf("%d bytes; want 40", c.Bytes())
	}
	c.DropOld(now.Add(time.Hour))
	if c.Bytes() != 0 {
		t.Errorf("%d bytes an hour later", c.Bytes())
	}
}

func TestCacheIsForManyAtOnce(t *testing.T) {
	t.Parallel()
	c, began := store.NewCache(50), time.Unix(0, 0)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 1000 {
				key := strconv.Itoa((worker + i) % 20)
				now := began.Add(time.Duration(i))
				c.Put(key, i, 1+i%10, now)
				c.Get(key, now)
				c.Drop(strconv.Itoa(i % 20))
				c.DropOld(now.Add(-10))
			}
		})
	}
	all.Wait()
	if c.Bytes() < 0 || c.Bytes() > 50 {
		t.Errorf("%d bytes", c.Bytes())
	}
	for i := range 20 {
		c.Drop(strconv.Itoa(i))
	}
	if c.Bytes() != 0 {
		t.Errorf("%d bytes of nothing", c.Bytes())
	}
}

// A notification that is kept opened is told as it lies in Redis, whatever others did with what they were told.
func TestNotificationsAreToldAsTheyAreNow(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		n := notification(t, "n1", "strict")
		n.Headers = []dispatcher.Header{{Name: "X-Key", Value: "first"}}
		n.Secrets = []dispatcher.SigningSecret{{Secret: "whsec_first"}}
		n.ExcludeActors, n.Retry.Schedule = []string{"erp"}, []dispatcher.Duration{5}
		h.put(t, order("1"), status("created"), n)
		told := h.load(t, order("1")).Notifications[0]
		told.Headers[0].Value, told.Secrets[0].Secret, told.ExcludeActors[0], told.Retry.Schedule[0] = "x", "x", "x", 7
		if again := h.load(t, order("1")).Notifications[0]; !again.SameContent(n) || again.CurrentSecret() != "whsec_first" {
			t.Errorf("%+v", again)
		}
		n.Headers[0].Value = "second"
		h.put(t, order("1"), status("paid"), n)
		other := newHouse(t, h.plain) // another process
		other.put(t, order("1"), status("paid"), notification(t, "n2", "none"))
		if all := h.load(t, order("1")).Notifications; len(all) != 2 || all[0].Headers[0].Value.Reveal() != "second" || all[1].ID != "n2" {
			t.Errorf("%+v", all)
		}
	})
}
