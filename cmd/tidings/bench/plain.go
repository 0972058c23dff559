package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/hibiken/asynq"

	"github.com/tidings/tidings/dispatcher/outbound"
)

// tidingsConcurrency is what tidings serve has by default: attempts in flight in one process.
const tidingsConcurrency = 256

// plainConfig of the plain Asynq handler that Tidings is compared with: what one would write in an afternoon.
type plainConfig struct {
	Servers     int // in this process, each with its own fetch loop
	Concurrency int // over all of them
	Timeout     time.Duration
}

type plainTask struct {
	URL  string `json:"url"`
	Body string `json:"body"`
}

const plainType = "bench:post"

// newOutbound is the client of Tidings, with its own settings.
func newOutbound() *outbound.Client {
	return outbound.New(outbound.Config{AllowTargets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
}

// plainAsynq starts the handler in this process. The sender enqueues; the end waits for nothing.
func plainAsynq(s *stand, cfg plainConfig, url func(order int) string) (sender, func(), error) {
	rdb, enqueuing := s.client(16+cfg.Concurrency), s.client(64)
	out := newOutbound()
	base, abort := context.WithCancel(context.Background())
	handler := asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		var t plainTask
		if err := json.Unmarshal(task.Payload(), &t); err != nil {
			return err
		}
		return post(ctx, out, t.URL, t.Body, cfg.Timeout)
	})
	var servers []*asynq.Server
	closer := func() {
		abort()
		for _, server := range servers {
			server.Shutdown()
		}
		out.Close()
		_, _ = rdb.Close(), enqueuing.Close()
	}
	for range cfg.Servers {
		server := asynq.NewServerFromRedisClient(rdb, asynq.Config{
			Concurrency: cfg.Concurrency / cfg.Servers, BaseContext: func() context.Context { return base },
			TaskCheckInterval: 5 * time.Millisecond, // its default of 1 s would make the latencies silly
			ShutdownTimeout:   time.Second, LogLevel: asynq.FatalLevel,
		})
		if err := server.Start(handler); err != nil {
			closer()
			return nil, nil, fmt.Errorf("start asynq: %w", err)
		}
		servers = append(servers, server)
	}
	client := asynq.NewClientFromRedisClient(enqueuing)
	return func(ctx context.Context, seq int, due time.Time) error {
		payload, err := json.Marshal(plainTask{url(seq), document(seq, due)})
		if err != nil {
			return err
		}
		_, err = client.EnqueueContext(ctx, asynq.NewTask(plainType, payload), asynq.Timeout(time.Minute))
		return err
	}, closer, nil
}

// post is one attempt, and nothing else.
func post(ctx context.Context, out *outbound.Client, url, body string, timeout time.Duration) error {
	answer := out.Do(ctx, outbound.Request{URL: url, Body: []byte(body), Timeout: timeout,
		Header: http.Header{"Content-Type": {"application/json"}, "User-Agent": {"Tidings-bench"}}})
	if answer.Reason != "" {
		return errors.New(string(answer.Reason))
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	return nil
}
