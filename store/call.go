package store

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// call is a call of a script, put together as it is sent: all keys, then all arguments. [redis.Script.Run] copies both twice
// to get there, so this is for the scripts that every change and every attempt runs.
type call struct {
	script *redis.Script
	words  []any
	keys   int
}

// firstKey is where the keys begin: before them stand the command, the script, and how many keys there are.
const firstKey = 3

// newCall begins a call with room for so many keys and arguments together.
func newCall(script *redis.Script, room int) *call {
	return &call{script: script, words: make([]any, firstKey, firstKey+room)}
}

func (c *call) addKeys(keys ...string) {
	for _, key := range keys {
		c.words = append(c.words, key)
	}
	c.keys += len(keys)
}

func (c *call) addArgs(args ...any) { c.words = append(c.words, args...) }

// run sends the call, and the text of the script where Redis does not know it yet.
func (c *call) run(ctx context.Context, rdb redis.UniversalClient) *redis.Cmd {
	c.words[0], c.words[1], c.words[2] = "evalsha", c.script.Hash(), c.keys
	cmd := redis.NewCmd(ctx, c.words...)
	cmd.SetFirstKeyPos(firstKey)
	if err := rdb.Process(ctx, cmd); !redis.HasErrorPrefix(err, "NOSCRIPT") {
		return cmd
	}
	keys, args := make([]string, c.keys), c.words[firstKey+c.keys:]
	for i := range keys {
		keys[i] = c.words[firstKey+i].(string)
	}
	return c.script.Eval(ctx, rdb, keys, args...)
}
