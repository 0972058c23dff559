package batch_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher/queue/batch"
)

// With a Redis that takes connections and never answers, a caller waits for as long as his context says and not longer,
// also he whose command has not even gone.
func TestHungRedisKeepsNobody(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	hung := redis.NewClient(&redis.Options{Addr: listener.Addr().String(), ContextTimeoutEnabled: true, ReadTimeout: time.Minute})
	defer hung.Close()
	client, _ := batched(t, hung)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			patience := time.Duration(i+1) * 10 * time.Millisecond
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			began := time.Now()
			err := increment.EvalSha(ctx, client, []string{"n"}, 1).Err()
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("after %v: %v", patience, err)
			}
			if took := time.Since(began); took > patience+20*time.Second {
				t.Errorf("a context of %v returned after %v", patience, took)
			}
		})
	}
	wg.Wait()
}

// cut is a connection whose next answer is lost when told: Redis has read the command, and the connection breaks.
type cut struct {
	net.Conn
	next *atomic.Int32 // answers to lose
}

func (c cut) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == nil && c.next.Load() > 0 && c.next.Add(-1) >= 0 {
		_ = c.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

// A lost answer is everybody's who travelled along, and each tries again by himself, as go-redis does with a single
// command. Nothing runs more often than that.
func TestLostAnswersAreAskedForAgain(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		var lose atomic.Int32
		client, tower := batched(t, rdb, func(o *redis.Options) {
			dial := o.Dialer
			o.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := dial(ctx, network, address)
				return cut{conn, &lose}, err
			}
		})
		if err := increment.EvalSha(t.Context(), client, []string{"n"}, 1).Err(); err != nil { // connects
			t.Fatal(err)
		}
		lose.Store(1)
		if n, err := increment.EvalSha(t.Context(), client, []string{"n"}, 1).Int(); err != nil || n != 3 {
			t.Errorf("got %d, %v: want the answer of the second run", n, err)
		}
		if n := len(tower.seen()); n != 2 {
			t.Errorf("%d flights: the carrier repeats", n)
		}
	})
}

// Without a Redis the error comes from the caller's own client.
func TestRefusedConnectionIsAnError(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	gone := func(retries int) *redis.Client {
		client := redis.NewClient(&redis.Options{Addr: listener.Addr().String(), ContextTimeoutEnabled: true, MaxRetries: retries, DialerRetries: 1})
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
	client := gone(-1)
	client.AddHook(batch.NewHook(gone(-1)))
	var dial *net.OpError
	if err := increment.Run(t.Context(), client, []string{"n"}, 1).Err(); !errors.As(err, &dial) {
		t.Errorf("got %v", err)
	}
}
