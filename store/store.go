package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
)

//go:embed lua/*.lua
var luaFiles embed.FS

var (
	commitScript  = script("commit")
	claimScript   = script("claim")
	recordScript  = script("record")
	reopenScript  = script("reopen")
	forgetScript  = script("forget")
	eraseScript   = script("erase")
	deferScript   = script("defer")
	auditScript   = script("audit")
	repairScript  = script("repair")
	replaceScript = script("replace")
	gateScript    = script("gate")
	parkScript    = script("park")
	leaveScript   = script("leave")
	passScript    = script("pass")
	keeperScript  = script("keeper")
	admitScript   = script("admit")
	resealScript  = script("reseal")
)

func script(name string) *redis.Script {
	text, err := luaFiles.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // embedded above
	}
	return redis.NewScript(string(text))
}

// DefaultRetention is how long Events and payloads are kept after a delivery has settled.
const DefaultRetention = 7 * 24 * time.Hour

// Config of a Store. Redis and Sealer are needed; the rest has defaults.
type Config struct {
	Redis     redis.UniversalClient
	Sealer    *Sealer
	Retention time.Duration // default DefaultRetention
	// MerchantRetention holds the merchants whose Events and payloads are kept for another time. Every process needs the same.
	MerchantRetention map[string]time.Duration
	// Grace is how long after it became due an enqueued delivery is left to Asynq before the sweep looks after it.
	Grace time.Duration    // default 5 s
	Now   func() time.Time // default time.Now
	Log   *slog.Logger     // told what cannot be read and is left out of a list; default nobody
	// Elsewhere says that this process delivers nothing: what it commits is not kept for an attempt.
	Elsewhere bool
}

// Store keeps everything in Redis. It is safe for concurrent use.
type Store struct {
	rdb       redis.UniversalClient
	sealer    *Sealer
	retention time.Duration
	merchants map[string]time.Duration // those with a retention of their own
	grace     time.Duration
	now       func() time.Time
	log       *slog.Logger
	opened    *cache[sealedNotification, dispatcher.Notification]
	owed      *shelf[owed]            // by the id of the delivery
	shared    *cache[string, weighed] // by the id of the change, which owes several deliveries
	lacking   atomic.Int32            // claims that are still told all, because what one needed was not kept here
	claims    atomic.Uint64           // how many were made, from a random number on: they tell one from another
	elsewhere bool                    // deliveries are made
}

// New returns a Store over the client, which should have ContextTimeoutEnabled set.
func New(cfg Config) *Store {
	s := &Store{rdb: cfg.Redis, sealer: cfg.Sealer, retention: cfg.Retention, merchants: cfg.MerchantRetention, grace: cfg.Grace, now: cfg.Now}
	s.claims.Store(uint64(rand.Uint32()))
	s.opened = newCache[sealedNotification, dispatcher.Notification](openedBytes)
	s.owed = newShelf[owed](owedBytes, owedStay)
	s.shared = newCache[string, weighed](sharedBytes)
	s.elsewhere = cfg.Elsewhere
	if s.retention <= 0 {
		s.retention = DefaultRetention
	}
	if s.grace <= 0 {
		s.grace = 5 * time.Second
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log = cfg.Log; s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// DropOld drops from memory what is owed and what was decoded for a while now, and nobody asks for: secrets of notifications
// that were removed among it, and what was erased through another process. It is to be called once in a while.
func (s *Store) DropOld() {
	now := s.now()
	s.owed.dropOld(now)
	s.shared.dropOld(now.Add(-keptFor))
	s.opened.dropOld(now.Add(-keptFor))
}

// keptFor is for how long what was decoded is kept after it was asked for last.
const keptFor = time.Minute

// Ping asks whether Redis answers.
func (s *Store) Ping(ctx context.Context) error {
	return unavailable("ping", s.rdb.Ping(ctx).Err())
}

// unavailable wraps a Redis error as "could not look". redis.Nil is no error of that kind: callers handle it first.
func unavailable(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w: %w", doing, dispatcher.ErrUnavailable, err)
}

// pipelined runs commands in one round trip. Missing keys are not errors: each command's own result says so.
func (s *Store) pipelined(ctx context.Context, doing string, fn func(redis.Pipeliner)) error {
	_, err := s.rdb.Pipelined(ctx, func(p redis.Pipeliner) error { fn(p); return nil })
	if errors.Is(err, redis.Nil) {
		err = nil
	}
	return unavailable(doing, err)
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

var noTime time.Time

func isNotFound(err error) bool { return errors.Is(err, dispatcher.ErrNotFound) }
