-- Puts a delivery into the line of its target, where merchants take turns: each further delivery of a merchant stands
-- a step behind its last, so that one merchant's backlog does not stand before another's single delivery.
--
-- KEYS[1] line (sorted set), KEYS[2] turns (hash: merchant -> place of its last)
-- ARGV[1] delivery id, ARGV[2] merchant, ARGV[3] now (ms), ARGV[4] step (ms), ARGV[5] how long turns are kept (ms)
--
-- Returns 1 when it was not in the line before.
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
	redis.call('ZINCRBY', KEYS[1], 1, ARGV[1]) -- who read the line before must see that it was parked again
	return 0
end
local last = tonumber(redis.call('HGET', KEYS[2], ARGV[2]) or '0')
local place = math.max(tonumber(ARGV[3]), last + tonumber(ARGV[4]))
if redis.call('EXISTS', KEYS[1]) == 0 then -- an empty line begins anew
	redis.call('DEL', KEYS[2])
	place = tonumber(ARGV[3])
end
redis.call('HSET', KEYS[2], ARGV[2], string.format('%.0f', place))
redis.call('PEXPIRE', KEYS[2], ARGV[5])
redis.call('ZADD', KEYS[1], place, ARGV[1])
return 1
