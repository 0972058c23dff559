package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/store"
	"github.com/tidings/tidings/store/embedded"
)

// storeFlags are those of the commands that look into a running Tidings' Redis. They are serve's, in the environment and in the
// file, too: what tells serve where its Redis is tells them.
type storeFlags struct {
	RedisURL string `help:"Redis of the running Tidings; without it, the one that it brought itself." env:"TIDINGS_REDIS_URL" placeholder:"URL"`
	DataDir  string `help:"Where that one keeps its data (default: tidings in the user's cache directory)." env:"TIDINGS_DATA_DIR" placeholder:"DIR"`
}

// open connects; close must be called. Deliveries hold no secrets: what opens it so opens nothing that is sealed, and any
// key will do.
func (f storeFlags) open() (st *store.Store, clients redisClients, closer func() error, err error) {
	sealer, err := store.NewSealer(store.NewSealingKey())
	if err != nil {
		return nil, clients, nil, err
	}
	return f.openSealed(sealer)
}

// openSealed connects with keys that read what is sealed.
func (f storeFlags) openSealed(sealer *store.Sealer) (st *store.Store, clients redisClients, closer func() error, err error) {
	url := f.RedisURL
	if url == "" {
		dir, err := dataDir(f.DataDir)
		if err != nil {
			return nil, clients, nil, usageError{err}
		}
		socket, err := embedded.Running(dir)
		if err != nil {
			return nil, clients, nil, fmt.Errorf("%w (and no --redis-url is given)", err)
		}
		url = "unix://" + socket
	}
	target, err := parseRedisURL(url)
	if err != nil {
		return nil, clients, nil, usageError{fmt.Errorf("--redis-url: %w", err)}
	}
	clients = redisClients{target: target}
	rdb := clients.client(16)
	return store.New(store.Config{Redis: rdb, Sealer: sealer}), clients, rdb.Close, nil
}

type checkCommand struct {
	storeFlags
	JSON bool `help:"Print one JSON object."`
}

// errOrphaned makes check end with 1.
var errOrphaned = errors.New("the invariant is broken: some open deliveries are looked after by nobody (tidings requeue mends it)")

// Run prints the invariant: accepted = terminal + open, and nothing orphaned.
func (c checkCommand) Run(ctx context.Context, out output) error {
	st, _, closer, err := c.open()
	if err != nil {
		return err
	}
	defer func() { _ = closer() }()
	audit, err := st.Audit(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		if err := json.NewEncoder(out.Out).Encode(audit); err != nil {
			return err
		}
	} else {
		printAudit(out, audit)
	}
	if audit.Orphaned > 0 {
		return errOrphaned
	}
	return nil
}

func printAudit(out output, a store.Audit) {
	line := func(name string, n int64) { fmt.Fprintf(out.Out, "%-24s %d\n", name, n) }
	line("accepted", a.Accepted)
	line("terminal", a.Terminal)
	line("open", a.Open)
	for _, status := range slices.Sorted(maps.Keys(a.ByStatus)) {
		line("  "+string(status), a.ByStatus[status])
	}
	line("in flight", a.InFlight)
	line("overdue", a.Overdue)
	line("orphaned", a.Orphaned)
	for _, o := range a.Orphans {
		fmt.Fprintf(out.Out, "  %s %s\n", o.DeliveryID, o.Finding)
	}
}

// requeueRounds bounds requeue beside a running Tidings, where there is always something that has just become due.
const requeueRounds = 1000

// requeuePause is how long requeue waits when there was nothing to enqueue and something is overdue: a lease that has run out,
// which its holder may yet renew.
const requeuePause = 100 * time.Millisecond

type requeueCommand struct {
	storeFlags
}

// Run puts everything that is owed back to work: what is orphaned is repaired, what is due and not in flight is looked
// at by a sweep at once. It is safe beside a running Tidings, and after Asynq's keyspace was lost.
func (c requeueCommand) Run(ctx context.Context, out output) error {
	st, clients, closer, err := c.open()
	if err != nil {
		return err
	}
	defer func() { _ = closer() }()
	repaired, err := st.Repair(ctx)
	if err != nil {
		return err
	}
	hastened, err := st.HastenAll(ctx)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(out.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	rdb := clients.client(16)
	defer rdb.Close()
	metrics := queue.NewMetrics(prometheus.NewRegistry())
	producer := queue.NewProducer(queue.ProducerConfig{Store: st, Redis: rdb, Bell: queue.NewBell(), Log: log, Metrics: metrics})
	sweeper := queue.NewSweeper(st, producer, log, metrics, nil)
	enqueued := 0
	for range requeueRounds {
		n, err := sweeper.Sweep(ctx)
		if err != nil {
			return err
		}
		enqueued += n
		_, overdue, err := st.Backlog(ctx)
		if err != nil {
			return err
		}
		if overdue == 0 {
			break
		}
		if n == 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(requeuePause):
			}
		}
	}
	fmt.Fprintf(out.Out, "repaired %d, looked at %d, enqueued %d\n", repaired, hastened, enqueued)
	return nil
}
