package queue

import (
	"context"
	"errors"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// keyOf is the key under which Asynq keeps something of a queue: a list of ids by state, or what is named by "t:" and an id, a task.
func keyOf(queue, what string) string { return "asynq:{" + queue + "}:" + what }

// taskInfo looks in both queues for the task of a generation. ErrTaskNotFound: it is in neither.
func (p *Producer) taskInfo(id string) (info *asynq.TaskInfo, err error) {
	for _, queue := range []string{Name, BulkName} {
		info, err = p.inspector.GetTaskInfo(queue, id)
		if !errors.Is(err, asynq.ErrTaskNotFound) && !errors.Is(err, asynq.ErrQueueNotFound) {
			return info, err
		}
	}
	return nil, asynq.ErrTaskNotFound
}

const (
	// shortQueue is how many tasks a queue has at most that is looked through for one.
	shortQueue = 1000
	// overtaken is by how much the next of a longer queue must have come after a task for that to have lost its place: the clocks
	// of those who enqueue may differ.
	overtaken = 10 * time.Second
)

// hasPlace reports whether a task that says it waits stands where Asynq looks for it: a part of Asynq's keyspace may have been lost,
// and then it says so for ever. Of a long queue that cannot be told for sure; one that is wrongly said to have none is enqueued under
// another generation, and drops itself.
func (p *Producer) hasPlace(ctx context.Context, queue, id string) (bool, error) {
	keys := []string{keyOf(queue, "t:"+id), keyOf(queue, "pending"), keyOf(queue, "scheduled"), keyOf(queue, "retry")}
	return placeScript.Run(ctx, p.rdb, keys, id, keyOf(queue, "t:"), shortQueue, overtaken.Nanoseconds()).Bool()
}

// placeScript looks whether a task stands where its state says.
//
// KEYS[1] task, KEYS[2] pending, KEYS[3] scheduled, KEYS[4] retry
// ARGV[1] id, ARGV[2] prefix of the tasks' keys, ARGV[3] how long a list is looked through, ARGV[4] how much later (ns) the next
// of a longer one must have come for this one to have been left out
//
// Returns 1 or 0; 1 also while that next does not tell since when it waits: it was put before others (see firstScript), or handed back.
var placeScript = redis.NewScript(`
local state = redis.call("HGET", KEYS[1], "state")
if state == "scheduled" or state == "retry" then
	return redis.call("ZSCORE", KEYS[state == "retry" and 4 or 3], ARGV[1]) and 1 or 0
end
if state ~= "pending" then
	return 1
end
if redis.call("LLEN", KEYS[2]) <= tonumber(ARGV[3]) then
	return redis.call("LPOS", KEYS[2], ARGV[1]) and 1 or 0
end
local came = tonumber(redis.call("HGET", KEYS[1], "pending_since") or "")
local other = tonumber(redis.call("HGET", ARGV[2] .. redis.call("LINDEX", KEYS[2], -1), "pending_since") or "")
if not came or not other or other <= came + tonumber(ARGV[4]) then
	return 1
end
return 0`)

// activeTasks returns the ids of all tasks that Asynq holds active. One pipelined round trip.
func (p *Producer) activeTasks(ctx context.Context) ([]string, error) {
	pipe := p.rdb.Pipeline()
	lists := make([]*redis.StringSliceCmd, 0, len(queueNames))
	for queue := range queueNames {
		lists = append(lists, pipe.LRange(ctx, keyOf(queue, "active"), 0, -1))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	var ids []string
	for _, list := range lists {
		ids = append(ids, list.Val()...)
	}
	return ids, nil
}
