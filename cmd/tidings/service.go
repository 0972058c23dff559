package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/hibiken/asynqmon"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/api"
	"github.com/tidings/tidings/dispatcher/outbound"
	"github.com/tidings/tidings/dispatcher/queue"
	"github.com/tidings/tidings/dispatcher/queue/batch"
	"github.com/tidings/tidings/store"
)

// service is one process of Tidings. Whatever newService opens, close closes, last opened first.
type service struct {
	set      settings
	log      *slog.Logger
	redis    redisClients
	listener net.Listener
	server   *http.Server
	health   *api.Health
	producer *queue.Producer
	worker   *queue.Worker // nil without that role
	sweeper  *queue.Sweeper
	bell     *queue.Bell
	forecast *queue.Forecast
	batch    *batch.Hook // what the API and the worker call travels together; nil with a Cluster
	rdb      redis.UniversalClient
	refused  chan error // told when Redis came back only after the start, and holds what our keys do not read
	closers  []func() error
}

// newService listens first, so that a port in use is told at once, and opens everything else; nothing runs yet.
func newService(ctx context.Context, set settings, log *slog.Logger) (s *service, err error) {
	s = &service{set: set, log: log, bell: queue.NewBell(queue.Name, queue.BulkName), forecast: queue.NewForecast()}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	redis.SetLogger(redisLog{log})
	if s.listener, err = net.Listen("tcp", set.listen); err != nil {
		return s, err
	}
	s.opened(s.listener.Close)
	if s.redis, err = connectRedis(ctx, set, log); err != nil {
		return s, err
	}
	s.opened(s.redis.close)
	sealer, err := s.sealer()
	if err != nil {
		return s, err
	}
	s.rdb = s.redis.client(64 + set.concurrency)
	s.opened(s.rdb.Close)
	s.rdb.AddHook(s.forecast) // what the producer schedules it is to know of
	if hook, closer := s.redis.batching(); hook != nil {
		s.opened(closer)
		s.batch = hook
		s.rdb.AddHook(s.batch)
	}
	st := store.New(store.Config{
		Redis: s.rdb, Sealer: sealer, Retention: set.retention, MerchantRetention: set.merchants, Elsewhere: !set.worker,
		Log: log,
	})
	out := outbound.New(outbound.Config{
		AllowTargets: set.allowTargets, AllowPlainHTTP: set.allowPlainHTTP,
		RootCAs: set.roots, ClientCertificates: set.certificates,
		MaxIdlePerHost: queue.TargetShare(set.concurrency), // fewer, and a busy target's connections would be dialled anew
	})
	s.opened(func() error { out.Close(); return nil })

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	metrics := queue.NewMetrics(registry)
	queue.RegisterBacklog(registry, st)
	s.producer = queue.NewProducer(queue.ProducerConfig{Store: st, Redis: s.rdb, Bell: s.bell, Log: log, Metrics: metrics})
	if set.worker {
		s.openWorker(st, out, metrics)
	}
	var known []string
	if own := s.redis.embedded; own != nil && !own.Durable() {
		known = append(known, own.Describe())
	}
	s.health = api.NewHealth(st, known...)
	s.openAPI(st, out, registry)
	s.refused = make(chan error, 1)
	return s, s.admit(ctx, st)
}

func (s *service) opened(closer func() error) { s.closers = append(s.closers, closer) }

func (s *service) close() (err error) {
	for i := len(s.closers) - 1; i >= 0; i-- {
		if e := s.closers[i](); e != nil && !errors.Is(e, net.ErrClosed) && !errors.Is(e, redis.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	s.closers = nil
	return err
}

func (s *service) openWorker(st *store.Store, out *outbound.Client, metrics *queue.Metrics) {
	rdb := s.redis.client(16 + s.set.concurrency)
	rdb.AddHook(queue.Reviver{})
	rdb.AddHook(s.bell)
	rdb.AddHook(s.forecast)
	fetcher := queue.NewFetcher()
	rdb.AddHook(fetcher)
	if s.batch != nil {
		rdb.AddHook(s.batch) // innermost: a dequeue that waits for the bell keeps nobody waiting
	}
	s.opened(rdb.Close)
	s.worker = queue.NewWorker(queue.WorkerConfig{
		Store: st, Producer: s.producer, Redis: rdb, Bell: s.bell, Fetcher: fetcher, Outbound: out, Log: s.log, Metrics: metrics,
		UserAgent: userAgent, Origin: s.set.webhookOrigin, Concurrency: s.set.concurrency, Servers: s.set.servers,
	})
	s.sweeper = queue.NewSweeper(st, s.producer, s.log, metrics, nil)
}

func (s *service) openAPI(st *store.Store, out *outbound.Client, registry *prometheus.Registry) {
	cfg := api.Config{
		Store: st, Producer: s.producer, Outbound: out, Health: s.health, Registry: registry, Log: s.log,
		Tokens: s.tokens(), OperationsOnly: !s.set.api, TrustedProxies: s.set.trustedProxies,
		Limits: api.Limits{Rate: float64(s.set.rateLimit), Burst: s.set.rateBurst, WrongTokens: 20, WrongTokenEvery: 3 * time.Second},
	}
	if s.set.api {
		monitor := asynqmon.New(asynqmon.Options{RootPath: "/monitoring", RedisConnOpt: connector{s.redis}, ReadOnly: true})
		s.opened(monitor.Close)
		cfg.Monitoring = monitor
	}
	s.server = newServer(api.New(cfg), s.log, usualPatience)
}

// connector lets Asynqmon make its client as we make ours.
type connector struct{ redisClients }

// MakeRedisClient implements asynq.RedisConnOpt.
func (c connector) MakeRedisClient() any { return c.client(8) }

// tokens are those of the configuration, and the development token when Redis is our own.
func (s *service) tokens() []api.Token {
	tokens := s.set.tokens
	if s.set.redis == nil {
		if s.set.devToken == "" {
			s.set.devToken, _ = newToken()
		}
		tokens = append(tokens, api.Token{Name: "development", Hash: sha256.Sum256([]byte(s.set.devToken)),
			Merchants: []string{"*"}, Role: api.RoleAdmin})
	}
	return tokens
}

// run works until the context ends, then stops in this order: not ready (and, for as long as balancers need to see that, served
// as before), no new requests, no new tasks, attempts in flight end, connections close.
func (s *service) run(ctx context.Context) error {
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { s.producer.Run(background) })
	if s.worker != nil {
		if err := s.worker.Start(); err != nil {
			cancel()
			return errors.Join(err, s.close())
		}
		wg.Go(func() { s.bell.Listen(background, s.rdb) })
		if s.set.sweep {
			wg.Go(func() { s.sweeper.Run(background) })
		}
	}
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(s.listener) }()
	s.warn(ctx)

	var failed error
	select {
	case <-ctx.Done():
	case failed = <-served:
	case failed = <-s.refused:
	case <-s.redis.gone():
		failed = errors.New("our own redis has ended by itself; its last lines are in the log at debug")
	}
	s.log.Info("service.stopping")
	s.health.Stopping()
	if failed == nil {
		select {
		case <-time.After(s.set.stopDelay):
		case failed = <-served:
		case <-s.redis.gone():
		}
	}
	drain, stop := context.WithTimeout(context.Background(), drainTimeout)
	defer stop()
	err := s.server.Shutdown(drain)
	if s.worker != nil {
		s.worker.Stop()
	}
	cancel()
	wg.Wait()
	err = errors.Join(failed, err, s.close())
	s.log.Info("service.stopped")
	return err
}

// warn logs what puts promises at risk.
func (s *service) warn(ctx context.Context) {
	for _, w := range s.health.Warnings(ctx) {
		s.log.Warn("service.at_risk", "warning", w)
	}
	for _, w := range certificateWarnings(s.set.certificates, time.Now()) {
		s.log.Warn("service.at_risk", "warning", w)
	}
}

// welcome tells a person where everything is. With our own Redis it tells the development token, too.
func (s *service) welcome(to io.Writer) {
	base := "http://" + s.listener.Addr().String()
	fmt.Fprintf(to, "Tidings %s on %s\nData: %s\n", version, base, s.redis.describe())
	if s.set.redis != nil {
		return
	}
	if !s.redis.embedded.Durable() {
		fmt.Fprint(to, "\n*** NOTHING SURVIVES A RESTART: no redis-server or valkey-server on the PATH, so all is kept in memory. ***\n")
	}
	fmt.Fprintf(to, `
Development token (admin, every merchant): %[1]s
Asynqmon: %[2]s/monitoring/ (any user name, the token as password)

Try it:
  curl -sS %[2]s/api/v0/checkout/orders/hello-1 -X PUT \
    -H 'Authorization: Bearer %[1]s' -H 'X-Merchant: acme' -H 'X-Channel: web' \
    -d '{"state":{"currentStatus":"accepted"}}'

`, s.set.devToken, base)
}
