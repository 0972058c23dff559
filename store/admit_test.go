package store_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

func TestAdmit(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		var wg sync.WaitGroup
		var mu sync.Mutex
		var in [][]byte
		for i := range 8 { // a fresh store, and all start at once with keys of their own
			key := []byte(strings.Repeat(string(rune('a'+i)), store.SealingKeyBytes))
			wg.Go(func() {
				var foreign *store.ForeignKeysError
				switch err := h.with(t, h.rdb, key).Admit(ctx); {
				case err == nil:
					mu.Lock()
					in = append(in, key)
					mu.Unlock()
				case !errors.As(err, &foreign) || strings.Contains(err.Error(), string(key[:9])):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(in) != 1 {
			t.Fatalf("%d were let in; want one", len(in))
		}
		first := h.with(t, h.rdb, in[0])
		first.admit(t) // those who were refused left no trace
		h.with(t, h.rdb, newKey, in[0]).admit(t)
		if err := first.Admit(ctx); err == nil {
			t.Error("one that cannot read what the new key writes is let in")
		}
		h.with(t, h.rdb, in[0], newKey).admit(t)

		// The list of keys lost: what is sealed stands for it.
		first.one(t, order("1"), "strict")
		if err := h.plain.Del(ctx, "td:seal").Err(); err != nil {
			t.Fatal(err)
		}
		var foreign *store.ForeignKeysError
		h.unchanged(t, func() {
			if err := h.with(t, h.rdb, otherKey).Admit(ctx); !errors.As(err, &foreign) || foreign.Foreign[0] != store.SealingKeyID(in[0]) {
				t.Errorf("let in beside what another key sealed: %v", err)
			}
		})
		first.admit(t)
		// A canary that was tampered with is not a matter of keys.
		h.plain.HSet(ctx, "td:seal", store.SealingKeyID(in[0]).String(), h.plain.HGet(ctx, "td:seal", store.SealingKeyID(in[0]).String()).Val()+"x")
		if err := first.Admit(ctx); err == nil || errors.As(err, &foreign) && len(foreign.Foreign) == 0 {
			t.Errorf("a broken canary: %v", err)
		}
	})
}

func TestAdmitWithoutRedisIsUnavailable(t *testing.T) {
	t.Parallel()
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialTimeout: time.Second})
	t.Cleanup(func() { _ = rdb.Close() })
	if err := (&house{clock: newClock()}).with(t, rdb, newKey).Admit(t.Context()); !errors.Is(err, dispatcher.ErrUnavailable) {
		t.Errorf("could not look is not a wrong key: %v", err)
	}
}

// What a build keeps otherwise is told at the start, not as one broken order after the other.
func TestAdmitToldOfAnotherFormat(t *testing.T) {
	for kept, stamp := range map[string]string{"1": "", "4": "4"} { // the first had no stamp
		t.Run(kept, func(t *testing.T) {
			each(t, func(t *testing.T, h *house) {
				if err := h.Admit(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := h.plain.Del(t.Context(), "{td:seal}:format").Err(); err != nil {
					t.Fatal(err)
				}
				if stamp != "" {
					h.plain.Set(t.Context(), "{td:seal}:format", stamp, 0)
				}
				h.unchanged(t, func() {
					var other *store.FormatError
					if err := h.Admit(t.Context()); !errors.As(err, &other) || other.Kept != kept {
						t.Errorf("let in beside records of another format: %v", err)
					}
				})
			})
		})
	}
}
