-- Keeps the pass of a delivery that was let out for as long as its attempt may last. One that has ended meanwhile is given
-- anew if there is room: others may have been let out in its place.
--
-- KEYS[1] passes (sorted set)
-- ARGV[1] delivery id, ARGV[2] now (ms), ARGV[3] until (ms), ARGV[4] how many passes there may be, "0" for any number
--
-- Returns 1 when the delivery has a pass. A second run of the same call returns the same.
local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not ends or tonumber(ends) <= tonumber(ARGV[2]) then
	local most = tonumber(ARGV[4])
	if most > 0 and redis.call('ZCOUNT', KEYS[1], '(' .. ARGV[2], '+inf') >= most then return 0 end
end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
return 1
