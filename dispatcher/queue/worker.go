package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher/outbound"
	"github.com/tidings/tidings/store"
)

// WorkerConfig of a Worker. Without a comment: needed.
type WorkerConfig struct {
	Store       *store.Store
	Producer    *Producer
	Redis       redis.UniversalClient // used by the Asynq servers alone: it must have the Bell as a hook
	Bell        *Bell
	Fetcher     *Fetcher // a hook of Redis, too, added after the Bell; nil: every task is fetched by itself
	Outbound    *outbound.Client
	Log         *slog.Logger
	Metrics     *Metrics
	UserAgent   string
	Origin      string           // what targets that want a handshake are asked to allow; default DefaultOrigin
	Concurrency int              // attempts in flight at once, over all servers; default 256
	Servers     int              // Asynq servers, each with its own fetch loop; default 2
	Shutdown    time.Duration    // how long attempts in flight may take to end; default ShutdownTimeout
	Now         func() time.Time // default time.Now
}

// ShutdownTimeout is how long a stopping worker waits for its attempts. It lies above the longest deadline of an
// attempt, so that every attempt ends and is recorded.
const ShutdownTimeout = 35 * time.Second

// StopsWithin is how long Stop takes at most, also when Redis hangs: attempts end or are given up by ShutdownTimeout, and what
// is written then (the last record, what the keeper had begun, its farewell) has some seconds each.
const StopsWithin = ShutdownTimeout + 15*time.Second

// ourPause is how long a task waits when it was a fault of ours (Redis away) that kept it from being attempted.
const ourPause = 2 * time.Second

// handBackWithin bounds how long a stopping worker tries to hand back what it has not begun.
const handBackWithin = 5 * time.Second

// Worker runs Asynq servers that make the attempts.
type Worker struct {
	cfg       WorkerConfig
	deliverer *Deliverer
	keeper    *Keeper
	servers   []*asynq.Server
	ending    chan struct{}
	running   atomic.Int64 // tasks that are being handled
	stopping  chan struct{}
	wg        sync.WaitGroup
	cancel    context.CancelFunc
}

// NewWorker returns a Worker; Start begins.
func NewWorker(cfg WorkerConfig) *Worker {
	if cfg.Concurrency <= 0 {
		cfg.Concurrency = 256
	}
	if cfg.Servers <= 0 {
		cfg.Servers = 2
	}
	if cfg.Shutdown <= 0 {
		cfg.Shutdown = ShutdownTimeout
	}
	if cfg.Origin == "" {
		cfg.Origin = DefaultOrigin
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	w := &Worker{cfg: cfg, ending: make(chan struct{}), stopping: make(chan struct{})}
	w.deliverer = &Deliverer{
		store: cfg.Store, producer: cfg.Producer, out: cfg.Outbound, leases: newLeases(), log: cfg.Log,
		metrics: cfg.Metrics, agent: cfg.UserAgent, origin: cfg.Origin, now: cfg.Now,
		ending: w.ending, stopping: w.stopping,
		gate: newGate(cfg.Concurrency, cfg.Now), keeper: make(chan struct{}, 1),
	}
	w.keeper = NewKeeper(w)
	for i := range cfg.Servers {
		w.servers = append(w.servers, w.newServer(i == 0))
	}
	return w
}

// newServer makes one of the Asynq servers. Retries wait in a sorted set until a forwarder moves them; each server has one,
// of which one is to be prompt and does the work of all. So does one janitor, which has none: no task is kept when it is done.
func (w *Worker) newServer(prompt bool) *asynq.Server {
	forward := time.Minute
	if prompt {
		forward = time.Second
	}
	return asynq.NewServerFromRedisClient(w.cfg.Redis, asynq.Config{
		Concurrency:              max(1, w.cfg.Concurrency/w.cfg.Servers),
		Queues:                   queueNames,
		TaskCheckInterval:        time.Millisecond, // the Bell does the waiting
		DelayedTaskCheckInterval: forward,
		JanitorInterval:          time.Minute,
		RetryDelayFunc:           retryDelay(w.cfg.Now),
		IsFailure:                func(err error) bool { return !errors.Is(err, errOurs) },
		ShutdownTimeout:          w.cfg.Shutdown,
		Logger:                   asynqLog{w.cfg.Log},
		LogLevel:                 asynq.WarnLevel,
	})
}

// Start begins to work. The error is Asynq's refusal to start.
func (w *Worker) Start() error {
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	w.wg.Go(func() { w.deliverer.leases.run(ctx, w.cfg.Store, w.cfg.Log, w.cfg.Now) })
	w.keeper.begin(ctx)
	if w.cfg.Fetcher != nil {
		w.cfg.Fetcher.Open(func() int { return w.cfg.Concurrency - int(w.running.Load()) })
	}
	w.wg.Go(func() { w.keeper.Run(ctx) })
	for _, server := range w.servers {
		if err := server.Start(asynq.HandlerFunc(w.process)); err != nil {
			cancel()
			return fmt.Errorf("start asynq server: %w", err)
		}
	}
	return nil
}

// Stop takes no more tasks, lets attempts in flight end (at most Shutdown), and returns when all is recorded.
func (w *Worker) Stop() {
	w.cfg.Bell.Stop()
	close(w.ending)
	time.AfterFunc(w.cfg.Shutdown, func() { close(w.stopping) })
	var wg sync.WaitGroup
	for _, server := range w.servers {
		wg.Go(server.Shutdown)
	}
	w.handBack()
	wg.Wait()
	w.cancel()
	w.wg.Wait()
}

// handBack lets other workers have at once what this one has fetched and will not begin.
func (w *Worker) handBack() {
	if w.cfg.Fetcher == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), handBackWithin)
	defer cancel()
	if err := w.cfg.Fetcher.Close(ctx, w.cfg.Redis); err != nil {
		w.cfg.Log.Warn("worker.hand_back_failed", "error", err, "then", "left to the sweep")
	}
}

// errOurs marks what is no failure of the target: Asynq does not count it.
var errOurs = errors.New("fault of ours")

// retryAt tells Asynq when the delivery's own policy wants the next attempt.
type retryAt struct {
	at  time.Time
	why string
}

// Error is what operators see in Asynqmon as the last error of a task.
func (r retryAt) Error() string { return r.why + "; next attempt due at " + r.at.Format(time.RFC3339) }

func (w *Worker) process(ctx context.Context, task *asynq.Task) error {
	w.running.Add(1)
	defer w.running.Add(-1)
	t, err := parseTask(task.Payload())
	if err != nil {
		return fmt.Errorf("%w: %w", err, asynq.SkipRetry)
	}
	done, err := w.deliverer.Deliver(ctx, t)
	switch {
	case err != nil:
		w.cfg.Log.WarnContext(ctx, "delivery.not_attempted", "delivery", t.DeliveryID, "order", t.OrderID, "error", err, "then", "again")
		return fmt.Errorf("%w: %w", errOurs, err)
	case !done.RetryAt.IsZero():
		return retryAt{done.RetryAt, done.Why}
	case done.GivenUp:
		return fmt.Errorf("%s; given up by its policy: %w", done.Why, asynq.SkipRetry)
	}
	return nil
}

// retryDelay gives Asynq our delay. Asynq cuts the due time to whole seconds, which could bring a retry up to a second
// early (and Retry-After must never be shortened): it is rounded up here.
func retryDelay(now func() time.Time) asynq.RetryDelayFunc {
	return func(_ int, err error, _ *asynq.Task) time.Duration {
		var r retryAt
		if !errors.As(err, &r) {
			return ourPause
		}
		return max(wholeSecond(r.at).Sub(now()), 0)
	}
}

// wholeSecond rounds up.
func wholeSecond(at time.Time) time.Time {
	whole := at.Truncate(time.Second)
	if whole.Before(at) {
		whole = whole.Add(time.Second)
	}
	return whole
}

// asynqLog lets Asynq write to slog.
type asynqLog struct{ log *slog.Logger }

func (l asynqLog) Debug(args ...any) { l.log.Debug("asynq", "message", fmt.Sprint(args...)) }
func (l asynqLog) Info(args ...any)  { l.log.Info("asynq", "message", fmt.Sprint(args...)) }
func (l asynqLog) Warn(args ...any)  { l.log.Warn("asynq", "message", fmt.Sprint(args...)) }
func (l asynqLog) Error(args ...any) { l.log.Error("asynq", "message", fmt.Sprint(args...)) }

// Fatal is called by Asynq where it would end the process; we only say so, and go on.
func (l asynqLog) Fatal(args ...any) {
	l.log.Error("asynq", "message", fmt.Sprint(args...), "fatal", true)
}
