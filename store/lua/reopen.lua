-- Makes a delivery due again under a new generation: a manual retry, or the sweep's.
--
-- KEYS[1] record, KEYS[2] due, KEYS[3] snapshot of the change
-- ARGV[1] head of the record as the caller saw it, ARGV[2] head to be, ARGV[3] progress to be, its size first
-- ARGV[4] delivery id, ARGV[5] due (ms), ARGV[6] "1" when the delivery was settled: nothing of it must expire while it is open
--
-- How a record is laid out is told in record.go.
-- Returns "ok", "conflict" or "payload_gone". A second run of the same call returns "ok".
local cur = redis.call('GET', KEYS[1])
if not cur then return 'conflict' end
local new = ARGV[2] .. string.sub(cur, 27, 34) .. ARGV[3]
if string.sub(cur, 1, #new) == new then return 'ok' end
if string.sub(cur, 1, 26) ~= ARGV[1] then return 'conflict' end
local payload = string.sub(cur, 27, 27)
if ARGV[6] == '1' then
	if payload == '-' or payload == 'c' and redis.call('EXISTS', KEYS[3]) == 0 then return 'payload_gone' end
	if payload == 'c' then
		redis.call('HINCRBY', KEYS[3], 'n', 1)
		redis.call('PERSIST', KEYS[3])
	end
end
redis.call('SET', KEYS[1], new .. string.sub(cur, 39 + tonumber(string.sub(cur, 35, 38), 16))) -- does not expire
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[4])
return 'ok'
