-- Claims a delivery for one attempt and returns all that the attempt needs.
--
-- KEYS[1] record, KEYS[2] due, KEYS[3] lane, KEYS[4] snapshot, KEYS[5] notifications
-- ARGV[1] delivery id, ARGV[2] generation (6 hex digits), ARGV[3] now (13 digits, ms), ARGV[4] end of the lease (ms)
-- ARGV[5] "1" when the delivery is in a lane, ARGV[6] notification id
-- ARGV[7] "1" when the caller has the snapshot: it is told only whether that is still there
--
-- The record opens with 26 characters: generation (6 hex), revision (6 hex), status (1 letter), claimed at (13 digits).
-- Returns {"gone"|"stale"|"settled"|"busy"|"waiting"}, or
-- {"ok", record as it was, record as it is now, snapshot ("1" when the caller has it, "" when gone), notification, id of
-- the newest of the lane}
local cur = redis.call('HGET', KEYS[1], 'r')
if not cur then return {'gone'} end
if string.sub(cur, 1, 6) ~= ARGV[2] then return {'stale'} end
local status = string.sub(cur, 13, 13)
if status ~= 'p' and status ~= 'r' and status ~= 'k' then return {'settled'} end
if string.sub(cur, 14, 26) ~= '0000000000000' then
	local lease = redis.call('ZSCORE', KEYS[2], ARGV[1])
	if lease and tonumber(lease) > tonumber(ARGV[3]) then return {'busy'} end
end
local newest = ''
if ARGV[5] == '1' then
	local head = redis.call('LINDEX', KEYS[3], 0)
	if head and head ~= ARGV[1] then return {'waiting'} end
	newest = redis.call('LINDEX', KEYS[3], -1) or ''
end
local rev = string.format('%06x', (tonumber(string.sub(cur, 7, 12), 16) + 1) % 16777216)
local new = string.sub(cur, 1, 6) .. rev .. status .. ARGV[3] .. string.sub(cur, 27)
redis.call('HSET', KEYS[1], 'r', new)
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
local snapshot
if ARGV[7] == '1' then
	snapshot = redis.call('HEXISTS', KEYS[4], 'b') == 1 and '1' or ''
else
	snapshot = redis.call('HGET', KEYS[4], 'b') or ''
end
return {'ok', cur, new, snapshot, redis.call('HGET', KEYS[5], ARGV[6]) or '', newest}
