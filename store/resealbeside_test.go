package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
	"github.com/tidings/tidings/store"
)

// between runs fn before the n-th reseal of a value.
type between struct {
	through
	at func(n int, keys []string) error
	n  *int
}

func (b between) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "evalsha" && len(cmd.Args()) == 7 { // one key, three arguments: reseal
			*b.n++
			if err := b.at(*b.n, scriptKeys(cmd)); err != nil {
				cmd.SetErr(err)
				return err
			}
		}
		return next(ctx, cmd)
	}
}

func (h *house) hooked(t *testing.T, at func(n int, keys []string) error) *redis.Client {
	o := *h.rdb.Options()
	rdb := redis.NewClient(&redis.Options{Network: o.Network, Addr: o.Addr, DB: o.DB, ContextTimeoutEnabled: true, DialerRetries: o.DialerRetries})
	rdb.AddHook(between{at: at, n: new(int)})
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// Cut off before any value, everything can be read, and the next run does the rest.
func TestResealCutOff(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.admit(t)
		values := h.sealAll(t)
		h.with(t, h.rdb, newKey, sealingKey).admit(t)
		killed := errors.New("killed")
		left := values
		for left > 0 {
			stop := int(min(left, 9)) // values in a run
			rotated := h.with(t, h.hooked(t, func(n int, _ []string) error {
				if n > stop {
					return killed
				}
				return nil
			}), newKey, sealingKey)
			done, err := rotated.Reseal(t.Context(), store.ResealWatch{})
			if errors.Is(err, killed) == (left <= 9) || done.Resealed != int64(stop) {
				t.Fatalf("%+v, %v with %d left", done, err, left)
			}
			left -= done.Resealed
			rotated.readsAll(t)
			found, err := h.with(t, h.rdb, newKey, sealingKey).SettleSealing(t.Context(), store.ResealWatch{})
			if err != nil || found.ByKey[store.SealingKeyID(sealingKey)] != left || found.Only(store.SealingKeyID(newKey)) != (left == 0) {
				t.Errorf("%+v, %v; want %d left", found, err, left)
			}
			if err := h.with(t, h.rdb, newKey).Admit(t.Context()); (err == nil) != (left == 0) {
				t.Errorf("started without the old key with %d left: %v", left, err)
			}
		}
	})
}

// Who writes a value while it is being sealed anew is not overwritten; what is removed does not come back.
func TestResealAgainstWriters(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.admit(t)
		values := h.sealAll(t)
		h.with(t, h.rdb, newKey, sealingKey).admit(t)
		written := map[string]bool{}
		rotated := h.with(t, h.hooked(t, func(_ int, keys []string) error {
			_, id, _ := strings.Cut(keys[0], ":n:acme:")
			if id == "" || written[id] {
				return nil
			}
			written[id] = true
			state := h.load(t, order(id))
			commit := store.Commit{State: state, Put: []dispatcher.Notification{secretive(t, "n1", "newer"+id)}, Remove: []string{"n2"}}
			_, err := h.Commit(t.Context(), commit) // by a process that still writes with the old key
			return err
		}), newKey, sealingKey)
		if _, err := rotated.Reseal(t.Context(), store.ResealWatch{}); err != nil || len(written) != sealedOrders {
			t.Fatalf("%v, %d written", err, len(written))
		}
		found, err := rotated.SettleSealing(t.Context(), store.ResealWatch{})
		if err != nil || !found.Only(store.SealingKeyID(newKey)) || found.Values != values-sealedOrders {
			t.Errorf("%+v, %v", found, err)
		}
		for id := range written {
			all := h.with(t, h.rdb, newKey).load(t, order(id)).Notifications
			if len(all) != 1 || !all[0].SameContent(secretive(t, "n1", "newer"+id)) {
				t.Errorf("%s: %+v", id, all)
			}
		}
	})
}

// Many writers with both keys at once, and reseals beside them: no write is lost, and in the end one key reads all.
func TestResealBesideWriters(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.admit(t)
		h.sealAll(t)
		rotated := h.with(t, h.rdb, newKey, sealingKey)
		rotated.admit(t)
		both := h.with(t, h.rdb, sealingKey, newKey)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for round := range 25 {
					by := []*house{both, rotated}[round%2]
					by.put(t, order(fmt.Sprint("a:", i)), status(fmt.Sprint("s", round)), secretive(t, "n1", fmt.Sprint(round)))
				}
			})
		}
		for range 5 {
			if _, err := rotated.Reseal(t.Context(), store.ResealWatch{}); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
		if _, err := rotated.Reseal(t.Context(), store.ResealWatch{}); err != nil {
			t.Error(err)
		}
		if found, err := rotated.SettleSealing(t.Context(), store.ResealWatch{}); err != nil || !found.Only(store.SealingKeyID(newKey)) {
			t.Errorf("%+v, %v", found, err)
		}
		for i := range 4 {
			if n, _ := h.with(t, h.rdb, newKey).load(t, order(fmt.Sprint("a:", i))).Notification("n1"); !n.SameContent(secretive(t, "n1", "24")) {
				t.Errorf("%d: %+v", i, n)
			}
		}
	})
}
