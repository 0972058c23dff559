package store

import (
	"context"
	"encoding/json"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
)

// What attempts told of their targets is counted per minute and kept for the last minutes only; it is for people, and
// no decision hangs on it. Workers report every few seconds, many attempts at once.

const (
	statsMinutes = 10               // that are kept and told
	processKeep  = 15 * time.Second // without a report a worker counts as gone
	latencySteps = 16               // powers of two, in ms: up to 32 s
)

// TargetStats is what attempts told of a target.
type TargetStats struct {
	Delivered int64
	Failed    int64
	Latency   [latencySteps]int64 // attempts that took less than 1<<i ms
	Last      LastAttempt
}

// LastAttempt is the latest of them.
type LastAttempt struct {
	At         time.Time          `json:"at"`
	Outcome    dispatcher.Outcome `json:"outcome"`
	Reason     dispatcher.Reason  `json:"reason,omitempty"`
	StatusCode int                `json:"statusCode,omitempty"`
}

// Attempts is how many there were.
func (s TargetStats) Attempts() int64 { return s.Delivered + s.Failed }

// Add counts an attempt.
func (s *TargetStats) Add(a dispatcher.Attempt) {
	if a.Outcome == dispatcher.Delivered {
		s.Delivered++
	} else {
		s.Failed++
	}
	s.Latency[min(bits.Len64(uint64(max(a.Duration.Milliseconds(), 0))), latencySteps-1)]++
	s.Last = LastAttempt{At: a.At.UTC(), Outcome: a.Outcome, Reason: a.Reason, StatusCode: a.StatusCode}
}

// Quantile returns a bound (a power of two, in ms) below which the given share of the attempts stayed.
func (s TargetStats) Quantile(share float64) time.Duration {
	var sum int64
	for i, n := range s.Latency {
		if sum += n; sum > 0 && float64(sum) >= share*float64(s.Attempts()) {
			return time.Millisecond << i
		}
	}
	return 0
}

func (s *TargetStats) merge(field string, value string) {
	n, _ := strconv.ParseInt(value, 10, 64)
	switch kind, rest := field[:1], field[1:]; kind {
	case "d":
		s.Delivered += n
	case "f":
		s.Failed += n
	case "l":
		if i, err := strconv.Atoi(rest); err == nil && i < latencySteps {
			s.Latency[i] += n
		}
	case "z":
		var last LastAttempt
		if json.Unmarshal([]byte(value), &last) == nil && last.At.After(s.Last.At) {
			s.Last = last
		}
	}
}

func statsKey(at time.Time) string          { return "td{stats}:" + strconv.FormatInt(at.Unix()/60, 10) }
func inFlightKey(process string) string     { return "td{stats}:inflight:" + process }
func statsField(kind, target string) string { return kind + " " + target }

// ReportTargets adds what a worker counted since its last report, and says what it has in flight and that it lives.
// It returns how many workers live. One round trip.
func (s *Store) ReportTargets(ctx context.Context, process string, counted map[string]TargetStats, inFlight map[string]int) (workers int, err error) {
	now := s.now()
	key := statsKey(now)
	var alive *redis.IntCmd
	err = s.pipelined(ctx, "report targets", func(p redis.Pipeliner) {
		for target, stats := range counted {
			reportOne(ctx, p, key, target, stats)
		}
		if len(counted) > 0 {
			p.Expire(ctx, key, (statsMinutes+1)*time.Minute)
		}
		if mine := inFlightKey(process); len(inFlight) > 0 {
			fields := make([]any, 0, 2*len(inFlight))
			for target, n := range inFlight {
				fields = append(fields, target, n)
			}
			p.Del(ctx, mine)
			p.HSet(ctx, mine, fields...)
			p.PExpire(ctx, mine, processKeep)
		} else {
			p.Del(ctx, mine)
		}
		p.ZAdd(ctx, workersKey, redis.Z{Score: float64(millis(now)), Member: process})
		p.ZRemRangeByScore(ctx, workersKey, "-inf", strconv.FormatInt(millis(now.Add(-processKeep)), 10))
		alive = p.ZCard(ctx, workersKey)
	})
	if err != nil {
		return 0, err
	}
	return int(alive.Val()), nil
}

func reportOne(ctx context.Context, p redis.Pipeliner, key, target string, stats TargetStats) {
	add := func(kind string, n int64) {
		if n > 0 {
			p.HIncrBy(ctx, key, statsField(kind, target), n)
		}
	}
	add("d", stats.Delivered)
	add("f", stats.Failed)
	for i, n := range stats.Latency {
		add("l"+strconv.Itoa(i), n)
	}
	if last, err := marshal(stats.Last); err == nil {
		p.HSet(ctx, key, statsField("z", target), last)
	}
}

// ForgetWorker takes a worker that stops out of the count.
func (s *Store) ForgetWorker(ctx context.Context, process string) error {
	return s.pipelined(ctx, "forget worker", func(p redis.Pipeliner) {
		p.ZRem(ctx, workersKey, process)
		p.Del(ctx, inFlightKey(process))
	})
}

// TargetsSeen returns what attempts of the last minutes told of every target, and what is in flight to each.
func (s *Store) TargetsSeen(ctx context.Context) (map[string]TargetStats, map[string]int, error) {
	processes, err := s.rdb.ZRange(ctx, workersKey, 0, -1).Result()
	if err != nil {
		return nil, nil, unavailable("read workers", err)
	}
	var minutes, flights []*redis.MapStringStringCmd
	err = s.pipelined(ctx, "read targets", func(p redis.Pipeliner) {
		for i := range statsMinutes {
			minutes = append(minutes, p.HGetAll(ctx, statsKey(s.now().Add(-time.Duration(i)*time.Minute))))
		}
		for _, process := range processes {
			flights = append(flights, p.HGetAll(ctx, inFlightKey(process)))
		}
	})
	if err != nil {
		return nil, nil, err
	}
	seen, inFlight := map[string]TargetStats{}, map[string]int{}
	for _, minute := range minutes {
		for field, value := range minute.Val() {
			kind, target, _ := strings.Cut(field, " ")
			stats := seen[target]
			stats.merge(kind, value)
			seen[target] = stats
		}
	}
	for _, flight := range flights {
		for target, value := range flight.Val() {
			n, _ := strconv.Atoi(value)
			inFlight[target] += n
		}
	}
	return seen, inFlight, nil
}
