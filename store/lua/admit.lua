-- Lets a process in whose keys read all that may be sealed here, and remembers the key that it writes with.
--
-- KEYS[1] hash: id of each key that may have sealed something here -> a text sealed with it
-- ARGV[1] id of the key that the process writes with, ARGV[2] text sealed with it, ARGV[3..] ids of its other keys
--
-- Returns the hash. When it names a key that the process does not have, nothing is remembered: of two that start at
-- once with different keys the first stays, and the second leaves no trace.
local has = {[ARGV[1]] = true}
for n = 3, #ARGV do has[ARGV[n]] = true end
for _, id in ipairs(redis.call('HKEYS', KEYS[1])) do
	if not has[id] then return redis.call('HGETALL', KEYS[1]) end
end
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
return redis.call('HGETALL', KEYS[1])
