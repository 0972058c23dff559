-- Drops a delivery from the due index, unless it is open: it may have been reopened since the caller looked.
--
-- KEYS[1] record, KEYS[2] due
-- ARGV[1] delivery id
--
-- Returns "ok" or "open".
local cur = redis.call('GETRANGE', KEYS[1], 0, 25)
local status = string.sub(cur, 13, 13)
if status == 'p' or status == 'r' or status == 'k' then return 'open' end
redis.call('ZREM', KEYS[2], ARGV[1])
return 'ok'
