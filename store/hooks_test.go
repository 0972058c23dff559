package store_test

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// through is a hook that passes everything on; others embed it.
type through struct{}

func (through) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (through) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (through) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// scriptKeys returns the keys of an EVAL or EVALSHA; nil for other commands.
func scriptKeys(cmd redis.Cmder) []string {
	if name := cmd.Name(); name != "evalsha" && name != "eval" {
		return nil
	}
	args := cmd.Args()
	count, _ := args[2].(int)
	keys := make([]string, count)
	for i := range keys {
		keys[i], _ = args[3+i].(string)
	}
	return keys
}

// hashTag is what Redis Cluster hashes of a key.
func hashTag(key string) string {
	_, rest, opened := strings.Cut(key, "{")
	tag, _, closed := strings.Cut(rest, "}")
	if !opened || !closed || tag == "" {
		return key
	}
	return tag
}

// oneSlot holds every script to keys of one slot: a Redis Cluster refuses others.
type oneSlot struct{ t tb }

func (oneSlot) DialHook(next redis.DialHook) redis.DialHook { return next }
func (oneSlot) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (o oneSlot) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		keys := scriptKeys(cmd)
		if keys != nil && len(keys) == 0 {
			o.t.Errorf("script %v has no keys, or they are not where this looks for them", cmd.Args()[1])
		}
		for _, key := range keys {
			if hashTag(key) != hashTag(keys[0]) {
				o.t.Errorf("script %v has keys of two slots: %q and %q", cmd.Args()[1], keys[0], key)
			}
		}
		return next(ctx, cmd)
	}
}

// repeatable are the scripts whose answer may be lost and which are then sent again by go-redis. A claim over an earlier one is not
// among them: see claimedBefore.
var repeatable = func() map[string]string {
	hashes := map[string]string{}
	for _, name := range []string{"claim", "commit", "record", "reopen"} {
		text, err := os.ReadFile(filepath.Join("lua", name+".lua"))
		if err != nil {
			panic(err)
		}
		hashes[redis.NewScript(string(text)).Hash()] = name
	}
	return hashes
}()

// claimedBefore reports whether a claim was answered that it took what had been claimed before.
func claimedBefore(answer any) bool {
	fields, _ := answer.([]any)
	return len(fields) > 1 && fields[1] != "0000000000000"
}

// lostAnswer runs every repeatable script twice, as go-redis does when the answer to the first was lost, and holds the
// second run to change nothing and to answer the same.
type lostAnswer struct {
	through
	t       tb
	look    *redis.Client
	doubled *atomic.Int64
}

func (l lostAnswer) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := next(ctx, cmd); err != nil || scriptKeys(cmd) == nil {
			return err
		}
		hash := cmd.Args()[1].(string)
		if cmd.Name() == "eval" { // the first time Redis sees the script
			hash = redis.NewScript(hash).Hash()
		}
		name, ok := repeatable[hash]
		if !ok {
			return nil
		}
		first := cmd.(*redis.Cmd).Val()
		if name == "claim" && claimedBefore(first) {
			return nil
		}
		before := dump(l.t, l.look)
		second := redis.NewCmd(ctx, cmd.Args()...)
		if err := next(ctx, second); err != nil {
			return err
		}
		l.doubled.Add(1)
		if !reflect.DeepEqual(first, second.Val()) {
			l.t.Errorf("%s answered %q, and run again %q", name, first, second.Val())
		}
		if diff := differences(before, dump(l.t, l.look)); diff != "" {
			l.t.Errorf("%s run again changed the keyspace:\n%s", name, diff)
		}
		cmd.(*redis.Cmd).SetVal(second.Val()) // the caller sees the second answer: the first was lost
		return nil
	}
}

// lastScript remembers the last call of a script.
type lastScript struct {
	through
	args []any
}

func (l *lastScript) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "evalsha" {
			l.args = cmd.Args()
		}
		return next(ctx, cmd)
	}
}

// counter counts commands, and round trips.
type counter struct {
	commands, trips atomic.Int64
}

func (*counter) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.commands.Add(1)
		c.trips.Add(1)
		return next(ctx, cmd)
	}
}

func (c *counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.commands.Add(int64(len(cmds)))
		c.trips.Add(1)
		return next(ctx, cmds)
	}
}
