package queue

import "github.com/redis/go-redis/v9"

// fetchText does what Asynq's dequeue script does, for several tasks.
//
// KEYS[1] pending, KEYS[2] paused, KEYS[3] active, KEYS[4] lease
// ARGV[1] end of the lease (s), ARGV[2] prefix of the tasks' keys, ARGV[3] how many at most
//
// Returns {id, message, id, message, ...}, the oldest first. A task whose message is gone is left active, as by Asynq.
const fetchText = `
if redis.call("EXISTS", KEYS[2]) == 1 then
	return {}
end
local ids = redis.call("LRANGE", KEYS[1], -ARGV[3], -1)
if #ids == 0 then
	return {}
end
redis.call("LTRIM", KEYS[1], 0, -#ids - 1)
local oldest, leases, tasks = {}, {}, {}
for i = #ids, 1, -1 do
	local id, key = ids[i], ARGV[2] .. ids[i]
	oldest[#oldest + 1] = id
	leases[#leases + 1] = ARGV[1]
	leases[#leases + 1] = id
	redis.call("HSET", key, "state", "active")
	redis.call("HDEL", key, "pending_since")
	local msg = redis.call("HGET", key, "msg")
	if msg then
		tasks[#tasks + 1] = id
		tasks[#tasks + 1] = msg
	end
end
redis.call("LPUSH", KEYS[3], unpack(oldest))
redis.call("ZADD", KEYS[4], unpack(leases))
return tasks`

var fetchScript = redis.NewScript(fetchText)

// handBackScript does what Asynq's requeue script does, for several tasks: they are the next again, in their order.
//
// KEYS[1] pending, KEYS[2] active, KEYS[3] lease
// ARGV[1] prefix of the tasks' keys, ARGV[2..] ids, the oldest first
var handBackScript = redis.NewScript(`
for i = #ARGV, 2, -1 do
	local id = ARGV[i]
	if redis.call("LREM", KEYS[2], 0, id) > 0 then
		redis.call("ZREM", KEYS[3], id)
		redis.call("RPUSH", KEYS[1], id)
		redis.call("HSET", ARGV[1] .. id, "state", "pending")
	end
end
return redis.status_reply("OK")`)

// firstScript makes a task the next of its queue, if it still waits. It has just been enqueued, and stands where that puts it. Since
// when it waits is not kept: of those behind it, which came before, that would say that they had lost their place (see placeScript).
//
// KEYS[1] pending, KEYS[2] task
// ARGV[1] id
var firstScript = redis.NewScript(`
if redis.call("LREM", KEYS[1], 1, ARGV[1]) > 0 then
	redis.call("RPUSH", KEYS[1], ARGV[1])
	redis.call("HDEL", KEYS[2], "pending_since")
end
return redis.status_reply("OK")`)
