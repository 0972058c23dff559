-- Lets a process in that reads what is kept here, and whose keys read all that may be sealed here, and remembers the key that
-- it writes with.
--
-- KEYS[1] hash: id of each key that may have sealed something here -> a text sealed with it; KEYS[2] format of the records
-- ARGV[1] id of the key that the process writes with, ARGV[2] text sealed with it, ARGV[3] format that it writes,
-- ARGV[4..] ids of its other keys
--
-- Returns {"format", what is kept} or the hash. When it names a key that the process does not have, nothing is remembered:
-- of two that start at once with different keys the first stays, and the second leaves no trace.
local format = redis.call('GET', KEYS[2])
if not format and redis.call('EXISTS', KEYS[1]) == 1 then format = '1' end -- from before it was told
if format and format ~= ARGV[3] then return {'format', format} end
local has = {[ARGV[1]] = true}
for n = 4, #ARGV do has[ARGV[n]] = true end
for _, id in ipairs(redis.call('HKEYS', KEYS[1])) do
	if not has[id] then return redis.call('HGETALL', KEYS[1]) end
end
redis.call('SET', KEYS[2], ARGV[3])
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
return redis.call('HGETALL', KEYS[1])
