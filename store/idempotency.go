package store

import (
	"bytes"
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
	place := idempotencyKey(merchant, key)
	text, err := s.sealAnswer(place, Answer{Fingerprint: fingerprint})
	if err != nil {
		return nil, err
	}
	first, err := s.rdb.SetNX(ctx, place, text, answerPending).Result()
	if err != nil {
		return nil, unavailable("take idempotency key", err)
	}
	if first {
		return nil, nil
	}
	old, err := s.rdb.Get(ctx, place).Bytes()
	if errors.Is(err, redis.Nil) { // it has just expired: whoever comes again takes it
		return &Answer{Fingerprint: fingerprint}, nil
	}
	if err != nil {
		return nil, unavailable("read idempotency key", err)
	}
	if bytes.Equal(old, text) { // sealed with a random nonce, it is ours: the answer to the first run was lost
		return nil, nil
	}
	var a Answer
	plain, err := s.sealer.Open(old, place)
	if err == nil {
		err = json.Unmarshal(plain, &a)
	}
	if err != nil {
		return nil, fmt.Errorf("idempotency key: %w", err)
	}
	return &a, nil
}

// sealAnswer seals an answer: that to a registration holds the URL with its query.
func (s *Store) sealAnswer(place string, a Answer) ([]byte, error) {
	plain, err := marshal(a)
	if err != nil {
		return nil, err
	}
	return s.sealer.Seal(plain, place), nil
}

// KeepAnswer records the answer for 24 h.
func (s *Store) KeepAnswer(ctx context.Context, merchant, key string, a Answer) error {
	place := idempotencyKey(merchant, key)
	text, err := s.sealAnswer(place, a)
	if err != nil {
		return err
	}
	return unavailable("keep answer", s.rdb.Set(ctx, place, text, answerKept).Err())
}

// DropAnswer frees a key whose request did nothing that must not be repeated.
func (s *Store) DropAnswer(ctx context.Context, merchant, key string) error {
	return unavailable("drop answer", s.rdb.Del(ctx, idempotencyKey(merchant, key)).Err())
}
