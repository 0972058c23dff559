-- Replaces the record of a delivery that has been erased, if it is still as the caller saw it, and drops the snapshot of
-- its change.
--
-- KEYS[1] record, KEYS[2] snapshot of the change
-- ARGV[1] record as the caller saw it, ARGV[2] record to be, ARGV[3] how long it is kept (ms)
--
-- Returns 1 when it is as it was to be: a second run of the same call does.
local cur = redis.call('GET', KEYS[1])
if cur ~= ARGV[1] and cur ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
return 1
