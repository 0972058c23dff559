package main

import (
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

// redisTarget is a Redis that somebody else runs.
type redisTarget struct {
	single   *redis.Options
	cluster  *redis.ClusterOptions
	failover *redis.FailoverOptions
}

// parseRedisURL reads a URL; the error never holds it, for it may hold a password.
func parseRedisURL(url string) (t redisTarget, err error) {
	scheme, rest, _ := strings.Cut(url, "://")
	switch scheme {
	case "redis", "rediss", "unix":
		t.single, err = redis.ParseURL(url)
	case "redis+cluster", "rediss+cluster":
		t.cluster, err = redis.ParseClusterURL(strings.TrimSuffix(scheme, "+cluster") + "://" + rest)
	case "redis+sentinel", "rediss+sentinel":
		t.failover, err = redis.ParseFailoverURL(strings.TrimSuffix(scheme, "+sentinel") + "://" + rest)
	default:
		err = errors.New("scheme")
	}
	host, _, _ := strings.Cut(strings.ReplaceAll(rest, "?", "/"), "/")
	host = host[strings.LastIndexByte(host, '@')+1:]
	if scheme != "unix" && !strings.HasPrefix(host, "[") && strings.Count(host, ":") > 1 {
		err = errors.New("host") // more likely the @ behind a password is missing
	}
	if err != nil {
		return t, errors.New("expected redis://, rediss://, unix://, redis+cluster:// or redis+sentinel:// with a valid rest")
	}
	return t, nil
}
