package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	readyPoll    = 10 * time.Millisecond
	readyPing    = time.Second      // for one PING
	readySilence = 30 * time.Second // without any answer, before we give up
)

// ready waits until PING is answered and returns the name and version of the
// server. A Redis that is loading its append-only file answers too, with
// LOADING; it is waited for as long as ctx allows, since giving up on a big
// file would make the data unreachable for good.
func (c *child) ready(ctx context.Context) (string, error) {
	rdb := redis.NewClient(&redis.Options{
		Network: "unix", Addr: c.sock.path,
		PoolSize: 1, MaxRetries: -1, DialerRetries: 1,
		ContextTimeoutEnabled: true,
	})
	defer func() { _ = rdb.Close() }()
	poll := time.NewTicker(readyPoll)
	defer poll.Stop()
	alive, loading := time.Now(), false
	for {
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("%w before it answered%s", ctx.Err(), c.log.last())
		case <-c.ended:
			return "", fmt.Errorf("it ended before it answered: %w%s", c.howItEnded(), c.log.last())
		case <-poll.C:
		}
		err := ping(ctx, rdb)
		switch {
		case err == nil:
			return version(ctx, rdb)
		case redis.IsLoadingError(err):
			if !loading {
				c.log.logger.Info("redis is loading its append-only file")
			}
			alive, loading = time.Now(), true
		case time.Since(alive) > readySilence:
			return "", fmt.Errorf("no answer for %s: %w%s", readySilence, err, c.log.last())
		}
	}
}

func (c *child) howItEnded() error {
	if c.exit == nil {
		return errors.New("exit status 0")
	}
	return c.exit
}

// ping knocks before it asks, since go-redis logs every dial that nobody
// answers, and until Redis listens nobody does.
func ping(ctx context.Context, rdb *redis.Client) error {
	ctx, cancel := context.WithTimeout(ctx, readyPing)
	defer cancel()
	knock, err := new(net.Dialer).DialContext(ctx, "unix", rdb.Options().Addr)
	if err != nil {
		return err
	}
	_ = knock.Close()
	return rdb.Ping(ctx).Err()
}

// version reads "redis-server 7.0.15" from INFO. Valkey reports the Redis that
// it is compatible with besides its own version; its own is the useful one.
func version(ctx context.Context, rdb *redis.Client) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, readyPing)
	defer cancel()
	info, err := rdb.Info(ctx, "server").Result()
	if err != nil {
		return "", fmt.Errorf("ask its version: %w", err)
	}
	var redisVersion string
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "valkey_version":
			return "valkey-server " + value, nil
		case "redis_version":
			redisVersion = value
		}
	}
	return "redis-server " + redisVersion, nil
}
