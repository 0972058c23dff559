package batch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestEveryCallerGetsHisOwnAnswer(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		client, tower := batched(t, rdb)
		const callers, times = 100, 20
		var wg sync.WaitGroup
		for caller := range callers {
			ctx := t.Context()
			if caller%2 == 0 {
				ctx = context.WithoutCancel(ctx) // he may go alone
			}
			wg.Go(func() {
				for i := range times {
					mine := fmt.Sprintf("%d:%d", caller, i)
					if got, err := echo.EvalSha(ctx, client, []string{"n"}, mine).Text(); err != nil || got != mine {
						t.Errorf("%s: got %q, %v", mine, got, err)
					}
					if err := nothing.EvalSha(ctx, client, []string{"n"}).Err(); !errors.Is(err, redis.Nil) {
						t.Errorf("%s: nil came as %v", mine, err)
					}
					err := refuse.EvalSha(ctx, client, []string{"n"}, mine).Err()
					if !redis.HasErrorPrefix(err, "REFUSED "+mine) {
						t.Errorf("%s: got %v", mine, err)
					}
				}
			})
		}
		wg.Wait()
		if n, _ := rdb.Get(t.Context(), "n").Int(); n != callers*times {
			t.Errorf("%d calls ran %d times", callers*times, n)
		}
		if n := len(tower.seen()); n == 0 || n >= 3*callers*times {
			t.Errorf("%d calls took %d flights: nothing was gathered", 3*callers*times, n)
		}
	})
}

// A script that Redis does not know is one caller's matter, and his Script.Run goes on with EVAL.
func TestUnknownScriptIsLoadedByItsCaller(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		client, tower := batched(t, rdb)
		let := tower.hold()
		defer let()
		unknown := redis.NewScript("return {KEYS[1], '" + t.Name() + "'}")
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if got, err := unknown.Run(t.Context(), client, []string{"k"}).StringSlice(); err != nil || !slices.Equal(got, []string{"k", t.Name()}) {
					t.Errorf("got %q, %v", got, err)
				}
			})
			wg.Go(func() {
				if err := increment.EvalSha(t.Context(), client, []string{"n"}, 1).Err(); err != nil {
					t.Error(err)
				}
			})
		}
		let()
		wg.Wait()
		if n, _ := rdb.Get(t.Context(), "n").Int(); n != 5 {
			t.Errorf("5 calls ran %d times", n)
		}
	})
}

// Who gives up goes at once; who waits with him gets his answer; what had not gone yet does not go.
func TestGivingUpIsNobodyElsesMatter(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		client, tower := batched(t, rdb)
		let := tower.hold()
		defer let()
		var stay, leave sync.WaitGroup
		calling, giveUp := context.WithCancel(t.Context())
		call := func(wg *sync.WaitGroup, ctx context.Context, key string, want error) {
			wg.Go(func() {
				if err := increment.EvalSha(ctx, client, []string{key}, 1).Err(); !errors.Is(err, want) {
					t.Errorf("%s: got %v, want %v", key, err, want)
				}
			})
		}
		for i := range 2 { // both flights wait in the tower
			call(&stay, t.Context(), "stayed", nil)
			until(t, func() bool { return len(tower.seen()) == i+1 }, "a flight does not begin though one is free")
		}
		for range 10 {
			call(&leave, calling, "left", context.Canceled)
			call(&stay, t.Context(), "stayed", nil)
		}
		giveUp()
		leave.Wait()
		let()
		stay.Wait()
		if n, _ := rdb.Get(t.Context(), "stayed").Int(); n != 12 {
			t.Errorf("12 calls ran %d times", n)
		}
		if n, _ := rdb.Exists(t.Context(), "left").Result(); n != 0 {
			t.Error("what had been given up before it went was sent")
		}
	})
}

// A pipeline is bounded in commands and in bytes, and what is big goes by itself.
func TestFlightsAreBounded(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		client, tower := batched(t, rdb)
		let := tower.hold()
		defer let()
		var wg sync.WaitGroup
		call := func(bytes int) {
			wg.Go(func() {
				if err := echo.EvalSha(t.Context(), client, []string{"n"}, strings.Repeat("x", bytes)).Err(); err != nil {
					t.Error(err)
				}
			})
		}
		call(1)
		until(t, func() bool { return len(tower.seen()) == 1 }, "no flight")
		call(1)
		until(t, func() bool { return len(tower.seen()) == 2 }, "no second flight")
		if err := echo.EvalSha(t.Context(), client, []string{"n"}, strings.Repeat("x", 200<<10)).Err(); err != nil {
			t.Errorf("a big command waits for the flights: %v", err)
		}
		for range 300 {
			call(1)
		}
		for range 8 {
			call(100 << 10)
		}
		let()
		wg.Wait()
		flights := tower.seen()
		if most := slices.Max(flights); most > 128 {
			t.Errorf("a flight of %d commands", most)
		}
		total := 0
		for _, n := range flights {
			total += n
		}
		if total != 310 {
			t.Errorf("flights %v carried %d calls, not 310", flights, total)
		}
	})
}

// What is no call of a script passes untouched.
func TestOtherCommandsPass(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		client, tower := batched(t, rdb)
		if err := client.Set(t.Context(), "a", "1", 0).Err(); err != nil {
			t.Fatal(err)
		}
		got, err := client.TxPipelined(t.Context(), func(p redis.Pipeliner) error {
			p.Get(t.Context(), "a")
			increment.EvalSha(t.Context(), p, []string{"a"}, 2)
			return nil
		})
		if err != nil || got[1].(*redis.Cmd).Val() != int64(3) {
			t.Errorf("got %v, %v", got, err)
		}
		if err := client.BLPop(t.Context(), time.Second, "none").Err(); !errors.Is(err, redis.Nil) {
			t.Error(err)
		}
		if n := tower.seen(); len(n) != 0 {
			t.Errorf("flights %v", n)
		}
	})
}
