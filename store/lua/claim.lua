-- Claims a delivery for one attempt and returns all that the attempt needs.
--
-- KEYS[1] record, KEYS[2] due, KEYS[3] lane, KEYS[4] snapshot of the change, KEYS[5] notifications
-- ARGV[1] delivery id, ARGV[2] generation (6 hex digits), ARGV[3] now (13 digits, ms)
-- ARGV[4] end of the lease (ms); a fraction of it is the call's own, and tells its second run from another's claim
-- ARGV[5] "1" when the delivery is in a lane, ARGV[6] notification id
-- ARGV[7] "1" when the caller has terms and snapshot: it is told only whether the snapshot is still there
--
-- How a record is laid out is told in record.go.
-- Returns {"gone"|"stale"|"settled"|"busy"|"waiting"}, or
-- {"ok", when it was claimed before, prefix of the record as it is now, terms ("" when the caller has them), snapshot of the
-- change ("1" when the caller has it, "" when there is none), notification, id of the newest of the lane where only that counts}
-- A second run of the same call (its answer was lost) returns the same; but not of one that claimed what had been claimed before, for
-- since when is not known any more: that is busy until the sweep finds it.
local cur = redis.call('GET', KEYS[1])
if not cur then return {'gone'} end
if string.sub(cur, 1, 6) ~= ARGV[2] then return {'stale'} end
local status = string.sub(cur, 13, 13)
if status ~= 'p' and status ~= 'r' and status ~= 'k' then return {'settled'} end
local claimed = string.sub(cur, 14, 26)
local never = '0000000000000'
local again = false
if claimed ~= never then
	local lease = redis.call('ZSCORE', KEYS[2], ARGV[1])
	again = lease and claimed == ARGV[3] and tonumber(lease) == tonumber(ARGV[4])
	if lease and tonumber(lease) > tonumber(ARGV[3]) and not again then return {'busy'} end
end
local newest = ''
if ARGV[5] == '1' then
	local head = redis.call('LINDEX', KEYS[3], 0)
	if head and head ~= ARGV[1] then return {'waiting'} end
	if string.sub(cur, 28, 28) == 'l' then newest = redis.call('LINDEX', KEYS[3], -1) or '' end
end
local moved
if again then
	moved, claimed = string.sub(cur, 7, 26), never
else
	moved = string.format('%06x', (tonumber(string.sub(cur, 7, 12), 16) + 1) % 16777216) .. status .. ARGV[3]
	redis.call('SETRANGE', KEYS[1], 6, moved)
	redis.call('ZADD', KEYS[2], claimed == never and ARGV[4] or string.format('%.0f', math.ceil(ARGV[4])), ARGV[1])
end
local before = 38 + tonumber(string.sub(cur, 35, 38), 16)
local terms, snapshot = '', ''
if ARGV[7] ~= '1' then terms = string.sub(cur, before + 1, before + tonumber(string.sub(cur, 29, 34), 16)) end
if string.sub(cur, 27, 27) == 'c' then
	if ARGV[7] == '1' then
		snapshot = redis.call('HEXISTS', KEYS[4], 'b') == 1 and '1' or ''
	else
		snapshot = redis.call('HGET', KEYS[4], 'b') or ''
	end
end
local prefix = string.sub(cur, 1, 6) .. moved .. string.sub(cur, 27, before)
return {'ok', claimed, prefix, terms, snapshot, redis.call('HGET', KEYS[5], ARGV[6]) or '', newest}
