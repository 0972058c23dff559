package store

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
)

// Audit is the published invariant: every accepted delivery is terminal or open, and every open one is looked after.
type Audit struct {
	Accepted int64                       `json:"accepted"` // deliveries known: open, or settled within the retention
	Terminal int64                       `json:"terminal"`
	Open     int64                       `json:"open"`
	ByStatus map[dispatcher.Status]int64 `json:"byStatus"`
	InFlight int64                       `json:"inFlight"`
	Overdue  int64                       `json:"overdue"`  // open and should have moved by now; the sweep comes to them
	Orphaned int64                       `json:"orphaned"` // open and looked after by nobody: always 0
	Orphans  []Orphan                    `json:"orphans,omitempty"`
	At       time.Time                   `json:"at"`
}

// Orphan is an open delivery that nobody looks after.
type Orphan struct {
	DeliveryID string `json:"deliveryId"`
	Finding    string `json:"finding"` // not_due, not_in_lane, behind_settled or unreadable
}

const (
	auditBatch   = 500
	auditOrphans = 100 // named in an Audit; all are counted
)

// Audit looks at every delivery. It reads the whole keyspace in small steps, each delivery atomically, so that it may
// run beside the work; it takes about a second for 50,000 deliveries.
func (s *Store) Audit(ctx context.Context) (Audit, error) {
	a := Audit{ByStatus: map[dispatcher.Status]int64{}, At: s.now().UTC()}
	now := millis(s.now())
	err := s.eachDelivery(ctx, func(held []Held, bad *UnreadableError) error {
		a.countUnreadable(bad)
		replies, err := s.runForEach(ctx, auditScript, held)
		if err != nil {
			return err
		}
		for i, reply := range replies {
			a.count(held[i], reply, now)
		}
		return nil
	})
	return a, err
}

// letterWaiting is told by the script of an open delivery behind another in its lane; it is never kept.
const letterWaiting = "w"

// countUnreadable tells records that cannot be read: nobody can look after them.
func (a *Audit) countUnreadable(bad *UnreadableError) {
	if bad == nil {
		return
	}
	for _, id := range bad.IDs {
		a.Accepted++
		a.Open++
		a.Orphaned++
		if len(a.Orphans) < auditOrphans {
			a.Orphans = append(a.Orphans, Orphan{id, "unreadable"})
		}
	}
}

func (a *Audit) count(h Held, reply []string, now int64) {
	if len(reply) != 4 || reply[0] == "" {
		return // left by retention since it was read
	}
	status := letterStatuses[reply[0][0]]
	if reply[0] == letterWaiting {
		status = dispatcher.StatusWaiting
	}
	a.Accepted++
	a.ByStatus[status]++
	if status.Terminal() {
		a.Terminal++
		return
	}
	a.Open++
	if reply[1] != "0000000000000" {
		a.InFlight++
	}
	if due, err := strconv.ParseFloat(reply[2], 64); err == nil && due <= float64(now) { // "": in no index, which is a finding
		a.Overdue++
	}
	if reply[3] != "" {
		a.Orphaned++
		if len(a.Orphans) < auditOrphans {
			a.Orphans = append(a.Orphans, Orphan{h.ID, reply[3]})
		}
	}
}

// Repair puts open deliveries that are looked after by nobody back into the indexes, due at once, and returns how many
// there were. What is well is left alone.
func (s *Store) Repair(ctx context.Context) (repaired int, err error) {
	err = s.eachDelivery(ctx, func(held []Held, _ *UnreadableError) error {
		for _, h := range held {
			if h.Status.Terminal() {
				continue
			}
			keys, args := s.auditKeys(h)
			n, err := repairScript.Run(ctx, s.rdb, keys, append(args, millis(s.now()))...).Int()
			if err != nil {
				return unavailable("repair", err)
			}
			repaired += n
		}
		return nil
	})
	return repaired, err
}

// HastenAll makes every open delivery due at once, so that the sweep looks at it; those in flight and those that wait
// for their time keep it. It returns how many were hastened.
func (s *Store) HastenAll(ctx context.Context) (hastened int, err error) {
	now := s.now()
	err = s.eachDelivery(ctx, func(held []Held, _ *UnreadableError) error {
		return s.pipelined(ctx, "hasten", func(p redis.Pipeliner) {
			for _, h := range held {
				if h.Status.Terminal() || !h.ClaimedAt.IsZero() || h.NextAttemptAt.After(now) {
					continue
				}
				hastened++
				p.ZAddXX(ctx, dueKey(h.Ref().Shard()), redis.Z{Score: float64(millis(now)), Member: h.ID})
			}
		})
	})
	return hastened, err
}

func (s *Store) auditKeys(h Held) (keys []string, args []any) {
	shard := h.Ref().Shard()
	return []string{deliveryKey(shard, h.ID), dueKey(shard), laneKey(h.Ref(), h.NotificationID)},
		[]any{h.ID, flag(h.InLane()), deliveryKey(shard, "")}
}

func (s *Store) runForEach(ctx context.Context, script *redis.Script, held []Held) ([][]string, error) {
	if err := script.Load(ctx, s.rdb).Err(); err != nil {
		return nil, unavailable("load script", err)
	}
	cmds := make([]*redis.Cmd, len(held))
	err := s.pipelined(ctx, "audit", func(p redis.Pipeliner) {
		for i, h := range held {
			keys, args := s.auditKeys(h)
			cmds[i] = script.EvalSha(ctx, p, keys, args...)
		}
	})
	if err != nil {
		return nil, err
	}
	replies := make([][]string, len(held))
	for i, cmd := range cmds {
		if replies[i], err = cmd.StringSlice(); err != nil {
			return nil, unavailable("audit", err)
		}
	}
	return replies, nil
}

// eachDelivery calls fn with every stored delivery, in batches.
func (s *Store) eachDelivery(ctx context.Context, fn func([]Held, *UnreadableError) error) error {
	var one sync.Mutex // nodes of a cluster are scanned at once
	scan := func(ctx context.Context, rdb redis.Cmdable) error {
		iter := rdb.Scan(ctx, 0, "td{s*}:d:*", auditBatch).Iterator()
		var ids []string
		flush := func() error {
			held, err := s.Read(ctx, ids...)
			ids = ids[:0]
			var bad *UnreadableError
			if err != nil && !errors.As(err, &bad) {
				return err
			}
			one.Lock()
			defer one.Unlock()
			return fn(held, bad)
		}
		for iter.Next(ctx) {
			if ids = append(ids, iter.Val()[len(iter.Val())-deliveryIDBytes:]); len(ids) < auditBatch {
				continue
			}
			if err := flush(); err != nil {
				return err
			}
		}
		if err := iter.Err(); err != nil {
			return unavailable("scan", err)
		}
		return flush()
	}
	if cluster, ok := s.rdb.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return scan(ctx, node) })
	}
	return scan(ctx, s.rdb)
}

const deliveryIDBytes = 32

// BeginAudit takes the turn to make an audit; false when another process has it or has just had it.
func (s *Store) BeginAudit(ctx context.Context, turn time.Duration) (bool, error) {
	mine, err := s.rdb.SetNX(ctx, auditLockKey, "", turn).Result()
	return mine, unavailable("begin audit", err)
}

// KeepAudit keeps an audit for every process to tell.
func (s *Store) KeepAudit(ctx context.Context, a Audit) error {
	text, err := marshal(a)
	if err != nil {
		return err
	}
	return unavailable("keep audit", s.rdb.Set(ctx, auditKey, text, 0).Err())
}

// LastAudit returns the audit that was kept last; false when none ever was.
func (s *Store) LastAudit(ctx context.Context) (Audit, bool, error) {
	var a Audit
	text, err := s.rdb.Get(ctx, auditKey).Bytes()
	if errors.Is(err, redis.Nil) {
		return a, false, nil
	}
	if err != nil {
		return a, false, unavailable("read audit", err)
	}
	return a, true, json.Unmarshal(text, &a)
}
