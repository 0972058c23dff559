-- Writes the gate of one target, unless somebody wrote it since it was read.
--
-- KEYS[1] gates (hash), KEYS[2] their version
-- ARGV[1] target, ARGV[2] gate as the caller saw it ("" for none), ARGV[3] gate to be ("" for none)
--
-- Returns "ok" or "conflict". A second run of the same call returns "ok".
local cur = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if cur == ARGV[3] then return 'ok' end
if cur ~= ARGV[2] then return 'conflict' end
if ARGV[3] == '' then
	redis.call('HDEL', KEYS[1], ARGV[1])
else
	redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
redis.call('INCR', KEYS[2])
return 'ok'
