-- Takes, keeps or ends the turn of looking after the gates.
--
-- KEYS[1] who has the turn (string)
-- ARGV[1] process, ARGV[2] how long the turn is (ms), "0" to end it
--
-- Returns 1 when the turn is the caller's (when it ends: was).
local who = redis.call('GET', KEYS[1])
if who and who ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
