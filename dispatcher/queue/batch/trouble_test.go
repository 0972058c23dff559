package batch_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
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

// over has the carrier's connections behave as wrap makes them.
func over(wrap func(net.Conn) net.Conn) func(*redis.Options) {
	return func(o *redis.Options) {
		dial := o.Dialer
		o.Dialer = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			return wrap(conn), err
		}
	}
}

// A lost answer is everybody's who travelled along, and each tries again by himself, as go-redis does with a single
// command. Nothing runs more often than that.
func TestLostAnswersAreAskedForAgain(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		var lose atomic.Int32
		client, tower := batched(t, rdb, over(func(conn net.Conn) net.Conn { return cut{conn, &lose} }))
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

// short is a connection that breaks in the second answer of the first pipeline that it carries.
type short struct {
	net.Conn
	carried         *atomic.Int32 // how many commands that pipeline had, over all connections
	breaking, broke bool
}

func (c *short) Write(p []byte) (int, error) {
	if n := strings.Count(string(p), "evalsha"); n > 1 && c.carried.CompareAndSwap(0, int32(n)) {
		c.breaking = true
	}
	return c.Conn.Write(p)
}

func (c *short) Read(p []byte) (int, error) {
	if c.broke {
		_ = c.Close()
		return 0, net.ErrClosed
	}
	n, err := c.Conn.Read(p)
	if err == nil && c.breaking {
		c.broke = true
		n = min(n, strings.Index(string(p[:n]), "\n")+1+len(":1"))
	}
	return n, err
}

// Who got his answer before the connection broke keeps it: his command does not run again, though go-redis tells him what it
// tells those whose answers are lost.
func TestWhatWasAnsweredDoesNotRunAgain(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		var carried atomic.Int32
		client, _ := batched(t, rdb, over(func(conn net.Conn) net.Conn { return &short{Conn: conn, carried: &carried} }))
		const callers = 30
		twice := 0
		for round := 0; carried.Load() == 0; round++ { // until some travel together
			var again atomic.Int32
			var wg sync.WaitGroup
			for caller := range callers {
				wg.Go(func() {
					key := fmt.Sprintf("n%d:%d", round, caller)
					n, err := increment.EvalSha(t.Context(), client, []string{key}, 1).Int()
					ran, _ := rdb.Get(t.Context(), key).Int()
					if err != nil || n > ran {
						t.Errorf("%s: got %d, %v after %d runs", key, n, err, ran)
					}
					again.Add(int32(ran - 1))
				})
			}
			wg.Wait()
			twice = int(again.Load())
		}
		if lost := int(carried.Load()) - 1; twice > lost { // miniredis may not have got to all of them before
			t.Errorf("%d commands ran again; one of %d had been answered", twice, lost+1)
		}
	})
}

// refusal is an error that Redis answers with.
type refusal string

func (e refusal) Error() string { return string(e) }
func (refusal) RedisError()     {}

// A carrier that Redis does not let in has carried nothing: a command without an error has not been answered for that.
func TestCarrierThatIsNotLetIn(t *testing.T) {
	each(t, func(t *testing.T, rdb *redis.Client) {
		client, tower := batched(t, rdb, func(o *redis.Options) {
			o.OnConnect = func(context.Context, *redis.Conn) error { return refusal("WRONGPASS invalid username-password pair") }
		})
		if n, err := increment.EvalSha(t.Context(), client, []string{"n"}, 1).Int(); err != nil || n != 1 {
			t.Errorf("got %d, %v", n, err)
		}
		if len(tower.seen()) == 0 {
			t.Error("the carrier was not tried: nothing was tested")
		}
	})
}

// Without a Redis the error comes from the caller's own client.
func TestRefusedConnectionIsAnError(t *testing.T) {
	t.Parallel()
	gone := func(retries int) *redis.Client {
		client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", ContextTimeoutEnabled: true, MaxRetries: retries, DialerRetries: 1})
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
