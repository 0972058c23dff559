package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher/queue/batch"
	"github.com/tidings/tidings/store/embedded"
)

// redisClients makes clients for one Redis. The API and the Asynq servers have each their own: the Bell hangs in that
// of the servers.
type redisClients struct {
	target   redisTarget
	embedded *embedded.Redis // nil when somebody else runs Redis
}

// connectRedis takes the Redis of the settings, or starts one.
func connectRedis(ctx context.Context, s settings, log *slog.Logger) (redisClients, error) {
	if s.redis != nil {
		return redisClients{target: *s.redis}, nil
	}
	own, err := embedded.Start(ctx, embedded.Config{DataDir: s.dataDir, Logger: log.With("from", "redis")})
	if err != nil {
		return redisClients{}, fmt.Errorf("start our own redis: %w", err)
	}
	return redisClients{embedded: own}, nil
}

// client returns a new client. Contexts end its commands, and a pool of size connections is enough for size callers.
func (c redisClients) client(size int) redis.UniversalClient {
	switch {
	case c.embedded != nil:
		o := c.embedded.Options()
		o.ContextTimeoutEnabled, o.PoolSize = true, size
		return redis.NewUniversalClient(o)
	case c.target.cluster != nil:
		o := *c.target.cluster
		o.ContextTimeoutEnabled, o.PoolSize = true, size
		return redis.NewClusterClient(&o)
	case c.target.failover != nil:
		o := *c.target.failover
		o.ContextTimeoutEnabled, o.PoolSize = true, size
		return redis.NewFailoverClient(&o)
	default:
		o := *c.target.single
		o.ContextTimeoutEnabled, o.PoolSize = true, size
		return redis.NewClient(&o)
	}
}

// batching returns a hook that gathers scripts, and what ends it. A Cluster gets none: a pipeline is split by slots
// there, and nearly every order has one of its own.
func (c redisClients) batching() (*batch.Hook, func() error) {
	var carrier *redis.Client
	switch {
	case c.embedded != nil:
		o := *c.embedded.Options().Simple()
		o.PoolSize, o.MaxRetries = batch.Connections, -1
		carrier = redis.NewClient(&o)
	case c.target.cluster != nil:
		return nil, nil
	case c.target.failover != nil:
		o := *c.target.failover
		o.PoolSize, o.MaxRetries = batch.Connections, -1
		carrier = redis.NewFailoverClient(&o)
	default:
		o := *c.target.single
		o.PoolSize, o.MaxRetries = batch.Connections, -1
		carrier = redis.NewClient(&o)
	}
	return batch.NewHook(carrier), carrier.Close
}

// describe says in one line where the data is.
func (c redisClients) describe() string {
	switch {
	case c.embedded != nil:
		return c.embedded.Describe()
	case c.target.cluster != nil:
		return fmt.Sprintf("redis cluster at %v", c.target.cluster.Addrs)
	case c.target.failover != nil:
		return fmt.Sprintf("redis %s by sentinels at %v", c.target.failover.MasterName, c.target.failover.SentinelAddrs)
	default:
		return "redis at " + c.target.single.Addr
	}
}

// gone is closed when our own Redis ends by itself; never otherwise.
func (c redisClients) gone() <-chan struct{} {
	if c.embedded == nil {
		return nil
	}
	return c.embedded.Done()
}

func (c redisClients) close() error {
	if c.embedded == nil {
		return nil
	}
	return c.embedded.Close()
}

// redisLog lets go-redis write to slog.
type redisLog struct{ log *slog.Logger }

// Printf implements go-redis' logger.
func (l redisLog) Printf(ctx context.Context, format string, args ...any) {
	l.log.DebugContext(ctx, "go-redis", "message", fmt.Sprintf(format, args...))
}
