-- Makes an open delivery looked after again, whatever was lost of its indexes.
--
-- KEYS[1] record, KEYS[2] due, KEYS[3] lane
-- ARGV[1] delivery id, ARGV[2] "1" when in a lane, ARGV[3] prefix of the keys of records, ARGV[4] due (ms)
-- Returns 1 when something was repaired.
local cur = redis.call('GETRANGE', KEYS[1], 0, 25)
if cur == '' then return 0 end
local status = string.sub(cur, 13, 13)
if status ~= 'p' and status ~= 'r' and status ~= 'k' then return 0 end
local repaired = redis.call('ZADD', KEYS[2], 'NX', ARGV[4], ARGV[1])
if ARGV[2] ~= '1' then return repaired end
-- What is settled must not stand at the head.
while true do
	local head = redis.call('LINDEX', KEYS[3], 0)
	if not head or head == ARGV[1] then break end
	local record = redis.call('GETRANGE', ARGV[3] .. head, 0, 25)
	local s = string.sub(record, 13, 13)
	if s == 'p' or s == 'r' or s == 'k' then break end
	redis.call('LPOP', KEYS[3])
	repaired = 1
end
if not redis.call('LPOS', KEYS[3], ARGV[1]) then
	-- Where it stood is lost; at the end it delays nobody, and an older change behind newer ones is what a manual
	-- retry would be, too.
	redis.call('RPUSH', KEYS[3], ARGV[1])
	repaired = 1
end
if repaired == 1 then redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1]) end
return repaired
