package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	answerKept = 24 * time.Hour
	// answerPending is how long a request that never got its answer recorded (its process died) blocks its key.
	answerPending = 30 * time.Second
)

// Answer is what was answered to a request with an Idempotency-Key.
type Answer struct {
	Fingerprint string            `json:"f"` // of the request: same key with another one is a mistake
	Status      int               `json:"s,omitempty"`
	Header      map[string]string `json:"h,omitempty"`
	Body        []byte            `json:"b,omitempty"`
}

// Pending reports whether the first request is still being worked on.
func (a Answer) Pending() bool { return a.Status == 0 }

// BeginAnswer takes the key for this request. When it was taken before, the earlier Answer is returned.
func (s *Store) BeginAnswer(ctx context.Context, merchant, key, fingerprint string) (earlier *Answer, err error) {
	text, err := marshal(Answer{Fingerprint: fingerprint})
	if err != nil {
		return nil, err
	}
	old, err := s.rdb.SetArgs(ctx, idempotencyKey(merchant, key), text,
		redis.SetArgs{Mode: "NX", Get: true, TTL: answerPending}).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, unavailable("read idempotency key", err)
	}
	var a Answer
	if err := json.Unmarshal([]byte(old), &a); err != nil {
		return nil, fmt.Errorf("idempotency key: %w", err)
	}
	return &a, nil
}

// KeepAnswer records the answer for 24 h.
func (s *Store) KeepAnswer(ctx context.Context, merchant, key string, a Answer) error {
	text, err := marshal(a)
	if err != nil {
		return err
	}
	return unavailable("keep answer", s.rdb.Set(ctx, idempotencyKey(merchant, key), text, answerKept).Err())
}

// DropAnswer frees a key whose request did nothing that must not be repeated.
func (s *Store) DropAnswer(ctx context.Context, merchant, key string) error {
	return unavailable("drop answer", s.rdb.Del(ctx, idempotencyKey(merchant, key)).Err())
}
