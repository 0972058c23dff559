package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidings/tidings/dispatcher"
)

// Gates returns every gate that is not just closed, and the version that GatesVersion had at most then.
func (s *Store) Gates(ctx context.Context) (map[string]dispatcher.Gate, string, error) {
	var all *redis.MapStringStringCmd
	var version *redis.StringCmd
	err := s.pipelined(ctx, "read gates", func(p redis.Pipeliner) {
		version = p.Get(ctx, gatesVersionKey) // first: what is written between the two is read again
		all = p.HGetAll(ctx, gatesKey)
	})
	if err != nil {
		return nil, "", err
	}
	gates := make(map[string]dispatcher.Gate, len(all.Val()))
	for target, text := range all.Val() {
		var g dispatcher.Gate
		if err := json.Unmarshal([]byte(text), &g); err != nil {
			return nil, "", fmt.Errorf("gate of %s: %w", target, err)
		}
		gates[target] = g
	}
	return gates, version.Val(), nil
}

// GatesVersion changes with every change of a gate.
func (s *Store) GatesVersion(ctx context.Context) (string, error) {
	version, err := s.rdb.Get(ctx, gatesVersionKey).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return version, unavailable("read version of gates", err)
}

// GatesChannel is where every change of a gate is published, so that workers need not ask for it all the time. What is
// published says nothing but that they should: the process may die before it does, and messages get lost.
const GatesChannel = "td:gates"

// gateTries bounds how often a gate is changed anew because somebody else changed it meanwhile.
const gateTries = 20

// ChangeGate replaces the gate of a target by what change makes of it, publishes that it has changed, and returns it.
func (s *Store) ChangeGate(ctx context.Context, target string, change func(dispatcher.Gate) dispatcher.Gate) (dispatcher.Gate, error) {
	for range gateTries {
		var was dispatcher.Gate
		seen, err := s.rdb.HGet(ctx, gatesKey, target).Result()
		switch {
		case errors.Is(err, redis.Nil):
			was.State = dispatcher.GateClosed
		case err != nil:
			return was, unavailable("read gate", err)
		default:
			if err := json.Unmarshal([]byte(seen), &was); err != nil {
				return was, fmt.Errorf("gate of %s: %w", target, err)
			}
		}
		to := change(was)
		text := []byte{}
		if !to.Forgettable() {
			if text, err = marshal(to); err != nil {
				return was, err
			}
		}
		if string(text) == seen {
			return to, nil
		}
		reply, err := gateScript.Run(ctx, s.rdb, []string{gatesKey, gatesVersionKey}, target, seen, text).Text()
		if err != nil {
			return was, unavailable("write gate", err)
		}
		if reply == "ok" {
			_ = s.rdb.Publish(ctx, GatesChannel, target).Err() // workers ask for themselves, only later
			return to, nil
		}
	}
	return dispatcher.Gate{}, fmt.Errorf("gate of %s: %w", target, dispatcher.ErrConflict)
}

const (
	turnStep = 100 * time.Millisecond // ten deliveries a second of one merchant are no crowd
	turnKeep = time.Hour
)

// Park puts a delivery into the line of its target; one that stands there keeps its place. gated reports whether the
// target has a gate to let it out again.
func (s *Store) Park(ctx context.Context, target, merchant, deliveryID string) (gated bool, err error) {
	keys := []string{targetKey(target, "line"), targetKey(target, "turns")}
	err = parkScript.Run(ctx, s.rdb, keys, deliveryID, merchant, millis(s.now()), turnStep.Milliseconds(), turnKeep.Milliseconds()).Err()
	if err != nil {
		return false, unavailable("park", err)
	}
	// Asked after it stands in the line: a gate that is forgotten because its line is empty is looked at once more then.
	gated, err = s.rdb.HExists(ctx, gatesKey, target).Result()
	return gated, unavailable("read gate", err)
}

// Place is where a delivery stands in a line.
type Place struct {
	ID    string
	place float64
}

// Line returns up to n deliveries that are parked for a target, from the given number on.
func (s *Store) Line(ctx context.Context, target string, from, n int64) ([]Place, error) {
	all, err := s.rdb.ZRangeWithScores(ctx, targetKey(target, "line"), from, from+n-1).Result()
	if err != nil {
		return nil, unavailable("read line", err)
	}
	line := make([]Place, len(all))
	for i, z := range all {
		id, _ := z.Member.(string)
		line[i] = Place{id, z.Score}
	}
	return line, nil
}

// LeaveLine takes deliveries out of the line of a target, unless they were parked again since the line was read.
func (s *Store) LeaveLine(ctx context.Context, target string, places ...Place) error {
	if len(places) == 0 {
		return nil
	}
	args := make([]any, 0, 2*len(places))
	for _, p := range places {
		args = append(args, p.ID, strconv.FormatFloat(p.place, 'f', -1, 64))
	}
	return unavailable("leave line", leaveScript.Run(ctx, s.rdb, []string{targetKey(target, "line")}, args...).Err())
}

// Crowd is who stands before a gate and who is inside.
type Crowd struct {
	Parked int64
	Passes int64 // let out and not ended
	First  string
}

// Crowds counts at several gates in one round trip.
func (s *Store) Crowds(ctx context.Context, targets []string) ([]Crowd, error) {
	now := strconv.FormatInt(millis(s.now()), 10)
	parked, passes := make([]*redis.IntCmd, len(targets)), make([]*redis.IntCmd, len(targets))
	first := make([]*redis.StringSliceCmd, len(targets))
	err := s.pipelined(ctx, "count parked", func(p redis.Pipeliner) {
		for i, target := range targets {
			parked[i] = p.ZCard(ctx, targetKey(target, "line"))
			passes[i] = p.ZCount(ctx, targetKey(target, "passes"), "("+now, "+inf")
			first[i] = p.ZRange(ctx, targetKey(target, "line"), 0, 0)
		}
	})
	if err != nil {
		return nil, err
	}
	crowds := make([]Crowd, len(targets))
	for i := range targets {
		crowds[i] = Crowd{Parked: parked[i].Val(), Passes: passes[i].Val()}
		if ids := first[i].Val(); len(ids) > 0 {
			crowds[i].First = ids[0]
		}
	}
	return crowds, nil
}

// GivePass counts an attempt as let out until the given time: one whose worker dies gives its place back then.
func (s *Store) GivePass(ctx context.Context, target string, until time.Time, ids ...string) error {
	members := make([]redis.Z, len(ids))
	for i, id := range ids {
		members[i] = redis.Z{Score: float64(millis(until)), Member: id}
	}
	key := targetKey(target, "passes")
	return s.pipelined(ctx, "give pass", func(p redis.Pipeliner) {
		p.ZRemRangeByScore(ctx, key, "-inf", strconv.FormatInt(millis(s.now()), 10))
		p.ZAdd(ctx, key, members...)
	})
}

// KeepPass keeps the pass of a delivery whose attempt begins, until the given time. Of one that has ended meanwhile it
// reports whether there was room to give it anew: at most so many passes at a time, 0 for any number.
func (s *Store) KeepPass(ctx context.Context, target string, until time.Time, id string, most int) (bool, error) {
	kept, err := passScript.Run(ctx, s.rdb, []string{targetKey(target, "passes")}, id, millis(s.now()), millis(until), most).Int()
	return kept == 1, unavailable("keep pass", err)
}

// ReturnPass gives the place back.
func (s *Store) ReturnPass(ctx context.Context, target, id string) error {
	return unavailable("return pass", s.rdb.ZRem(ctx, targetKey(target, "passes"), id).Err())
}

// Keeper takes or keeps the turn of looking after the gates, which one process has at a time.
func (s *Store) Keeper(ctx context.Context, process string, turn time.Duration) (bool, error) {
	mine, err := keeperScript.Run(ctx, s.rdb, []string{keeperKey}, process, turn.Milliseconds()).Int()
	return mine == 1, unavailable("take the keeper's turn", err)
}

// ResignKeeper ends the turn, so that another process need not wait for its end.
func (s *Store) ResignKeeper(ctx context.Context, process string) error {
	return unavailable("end the keeper's turn", keeperScript.Run(ctx, s.rdb, []string{keeperKey}, process, 0).Err())
}
