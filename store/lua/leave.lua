-- Takes deliveries out of the line of a target, unless they were parked again since the line was read.
--
-- KEYS[1] line (sorted set)
-- ARGV for each delivery: id, the place at which it was seen
--
-- Returns how many were taken out.
local n = 0
for i = 1, #ARGV, 2 do
	local place = redis.call('ZSCORE', KEYS[1], ARGV[i])
	if place and tonumber(place) == tonumber(ARGV[i + 1]) then
		n = n + redis.call('ZREM', KEYS[1], ARGV[i])
	end
end
return n
