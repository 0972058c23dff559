package queue_test

import (
	"testing"

	"github.com/redis/go-redis/v9"
)

// through is the part of a hook that lets everything pass.
type through struct{}

func (through) DialHook(next redis.DialHook) redis.DialHook { return next }
func (through) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// clientBeside is a client of its own, for hooks of its own, over the same Redis.
func clientBeside(t *testing.T, rdb *redis.Client) *redis.Client {
	t.Helper()
	options := *rdb.Options()
	options.PushNotificationProcessor = nil // not to be shared by two clients
	client := redis.NewClient(&options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}
