package store_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// content is one key: exactly one of the fields is set.
type content struct {
	text    string
	hash    map[string]string
	list    []string
	set     []string // sorted
	zset    []redis.Z
	expires bool
}

func (c content) String() string {
	var b strings.Builder
	for _, field := range slices.Sorted(maps.Keys(c.hash)) {
		fmt.Fprintf(&b, "%q=%q ", field, c.hash[field])
	}
	for _, z := range c.zset {
		fmt.Fprintf(&b, "%q:%v ", z.Member, z.Score)
	}
	fmt.Fprintf(&b, "%q %q %q expires=%v", c.text, c.list, c.set, c.expires)
	return b.String()
}

// dump reads the whole keyspace, in three round trips and a scan.
func dump(t tb, rdb *redis.Client) map[string]content {
	t.Helper()
	ctx := t.Context()
	var keys []string
	for iter, cursor := true, uint64(0); iter; iter = cursor != 0 {
		page, next, err := rdb.Scan(ctx, cursor, "*", 1000).Result()
		if err != nil {
			t.Fatal(err)
		}
		keys, cursor = append(keys, page...), next
	}
	slices.Sort(keys)
	keys = slices.Compact(keys) // SCAN may tell a key twice
	types, ttls := map[string]*redis.StatusCmd{}, map[string]*redis.DurationCmd{}
	read(t, rdb, func(p redis.Pipeliner) {
		for _, key := range keys {
			types[key], ttls[key] = p.Type(ctx, key), p.PTTL(ctx, key)
		}
	})
	values := map[string]redis.Cmder{}
	read(t, rdb, func(p redis.Pipeliner) {
		for _, key := range keys {
			switch types[key].Val() {
			case "string":
				values[key] = p.Get(ctx, key)
			case "hash":
				values[key] = p.HGetAll(ctx, key)
			case "list":
				values[key] = p.LRange(ctx, key, 0, -1)
			case "set":
				values[key] = p.SMembers(ctx, key)
			case "zset":
				values[key] = p.ZRangeWithScores(ctx, key, 0, -1)
			}
		}
	})
	all := map[string]content{}
	for _, key := range keys {
		c := content{expires: ttls[key].Val() > 0}
		switch cmd := values[key].(type) {
		case *redis.StringCmd:
			c.text = cmd.Val()
		case *redis.MapStringStringCmd:
			c.hash = cmd.Val()
		case *redis.StringSliceCmd:
			if c.list = cmd.Val(); types[key].Val() == "set" {
				c.set, c.list = slices.Sorted(slices.Values(c.list)), nil
			}
		case *redis.ZSliceCmd:
			c.zset = cmd.Val()
		default:
			t.Fatalf("key %q is of type %q, which the store does not use", key, types[key].Val())
		}
		all[key] = c
	}
	return all
}

func read(t tb, rdb *redis.Client, fn func(redis.Pipeliner)) {
	t.Helper()
	p := rdb.Pipeline()
	fn(p)
	if p.Len() == 0 {
		return
	}
	if _, err := p.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// differences tells what is not the same in two dumps; "" when they are equal.
func differences(before, after map[string]content) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if now, ok := after[key]; !ok {
			fmt.Fprintf(&b, "gone: %s\n", key)
		} else if was := before[key].String(); was != now.String() {
			fmt.Fprintf(&b, "%s\n  was %s\n  is  %s\n", key, was, now)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(after)) {
		if _, ok := before[key]; !ok {
			fmt.Fprintf(&b, "new: %s %s\n", key, after[key])
		}
	}
	return b.String()
}

// unchanged holds what fn does to write nothing at all.
func (h *house) unchanged(t tb, fn func()) {
	t.Helper()
	before := dump(t, h.plain)
	if len(before) == 0 {
		t.Fatal("the keyspace is empty: nothing could be seen to change")
	}
	fn()
	if diff := differences(before, dump(t, h.plain)); diff != "" {
		t.Errorf("something was written:\n%s", diff)
	}
}
