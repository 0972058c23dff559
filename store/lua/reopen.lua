-- Makes a delivery due again under a new generation: a manual retry, or the sweep's.
--
-- KEYS[1] record, KEYS[2] due, KEYS[3] snapshot
-- ARGV[1] first 26 characters of the record as the caller saw it, ARGV[2] record to be, ARGV[3] delivery id, ARGV[4] due (ms)
-- ARGV[5] "1" when the delivery was settled: record and snapshot must not expire while it is open
--
-- Returns "ok", "conflict" or "payload_gone". A second run of the same call returns "ok".
local cur = redis.call('HGET', KEYS[1], 'r')
if cur == ARGV[2] then return 'ok' end
if not cur or string.sub(cur, 1, 26) ~= ARGV[1] then return 'conflict' end
if ARGV[5] == '1' then
	if redis.call('EXISTS', KEYS[3]) == 0 then return 'payload_gone' end
	redis.call('HINCRBY', KEYS[3], 'n', 1)
	redis.call('PERSIST', KEYS[3])
	redis.call('PERSIST', KEYS[1])
end
redis.call('HSET', KEYS[1], 'r', ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[3])
return 'ok'
