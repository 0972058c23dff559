-- Puts a value that was sealed anew in the place of the old one, if that still is as it was read.
--
-- KEYS[1] hash, or string
-- ARGV[1] field, "" for a string; ARGV[2] as it was read, ARGV[3] to be
--
-- Returns 1, or 0 when somebody wrote meanwhile. A string keeps its expiry. A second run of the same call returns 1.
local cur
if ARGV[1] == '' then cur = redis.call('GET', KEYS[1]) else cur = redis.call('HGET', KEYS[1], ARGV[1]) end
if cur == ARGV[3] then return 1 end
if cur ~= ARGV[2] then return 0 end
if ARGV[1] == '' then
	redis.call('SET', KEYS[1], ARGV[3], 'KEEPTTL')
else
	redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return 1
