-- Puts an overdue delivery off, unless it has moved since it was found overdue.
--
-- KEYS[1] due; ARGV[1] delivery id, ARGV[2] now (ms), ARGV[3] until (ms)
-- Returns 1 when it was put off.
local due = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not due or tonumber(due) > tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
return 1
