-- Removes an order and its notifications, and remembers that its deliveries and stored payloads are still to be erased.
--
-- KEYS[1] order, KEYS[2] notifications, KEYS[3] history, KEYS[4] history set aside, KEYS[5] erasures of the shard
-- ARGV[1] token the caller has seen, ARGV[2] what to remember, ARGV[3] how long its last version is remembered (ms)
-- Returns "ok", "gone" or "conflict".
if redis.call('SISMEMBER', KEYS[5], ARGV[2]) == 1 then return 'ok' end -- the answer of a first run was lost
local order = redis.call('HMGET', KEYS[1], 'k', 'v', 'e')
local tokens, version = order[1], order[2] or order[3]
if not tokens then return 'gone' end
if string.sub(tokens, 1, 16) ~= ARGV[1] then return 'conflict' end
redis.call('DEL', KEYS[1], KEYS[2])
if version then
	redis.call('HSET', KEYS[1], 'e', version)
	redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
if redis.call('EXISTS', KEYS[3]) == 1 then redis.call('RENAME', KEYS[3], KEYS[4]) end
redis.call('SADD', KEYS[5], ARGV[2])
return 'ok'
