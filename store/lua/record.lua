-- Records an attempt (or a settlement without one) and moves the delivery on, if it is still as the caller saw it.
-- The Event is kept in any case when a request may have gone out: one POST, one Event. When that was the last of the
-- delivery, the lane's next can be claimed in the same step, for the same caller.
--
-- KEYS[1] record, KEYS[2] due, KEYS[3] lane, KEYS[4] snapshot of the change, KEYS[5] notifications,
-- KEYS[6..] indexes that the Event enters, that of all Events first
-- ARGV[1] head of the record as the caller saw it (it holds a revision), ARGV[2] head to be, ARGV[3] progress to be, its size first
-- ARGV[4] delivery id, ARGV[5] due (ms), "" when terminal; ARGV[6] "1" when in a lane
-- ARGV[7] due of the lane's next (ms), ARGV[8] retention (ms)
-- ARGV[9] Event as it stands in the record ("" for none), ARGV[10] member of the index of all, ARGV[11] "1": keep the Event in any case,
-- "2": the same, and it holds nothing of the order
-- ARGV[12] what the keys of records begin with: that of the lane's next is in the same shard, and known only here
-- ARGV[13] now (13 digits, ms) to claim the lane's next, "" to leave it; ARGV[14] end of its lease (ms), ARGV[15] notification id
-- ARGV[16] "1" when the caller is told the record of one that is claimed whole, not only what stands before the terms
--
-- How a record is laid out is told in record.go.
-- Returns {"gone"}, {"late"}, {"erased"} (late, and the Event is not kept, for it holds an answer of an order that was deleted), {"ok", ""},
-- {"ok", id of the lane's next, its record}, or, when that is claimed,
-- {"ok", id, prefix of its record (or all of it), notification, id of the newest of the lane where only that counts}. A second run of the
-- same call returns the same.
local cur = redis.call('GET', KEYS[1])
if not cur then return {'gone'} end
local new = ARGV[2] .. string.sub(cur, 27, 34) .. ARGV[3]
local again = string.sub(cur, 1, #new) == new
local mine = again or string.sub(cur, 1, 26) == ARGV[1]
local was = string.sub(cur, 13, 13)
local open = was == 'p' or was == 'r' or was == 'k'
local keep = ARGV[9] ~= '' and (mine or ARGV[11] ~= '')
local kept = keep and not mine and string.find(cur, string.sub(ARGV[9], 7, 22), 1, true) -- its id: the first run may have kept it
if keep and not mine and not kept and ARGV[11] == '1' and string.sub(cur, 27, 27) == '-' then return {'erased'} end
if keep then
	if #KEYS > 5 then redis.call('ZADD', KEYS[6], 0, ARGV[10]) end
	local id = string.sub(ARGV[10], 1, 16)
	for n = 7, #KEYS do redis.call('ZADD', KEYS[n], 0, id) end
end
if not mine then
	if keep and not kept then redis.call('SET', KEYS[1], cur .. ARGV[9], 'KEEPTTL') end
	return {'late'}
end
if not again then
	new = new .. string.sub(cur, 39 + tonumber(string.sub(cur, 35, 38), 16)) .. ARGV[9]
	if open and ARGV[5] == '' then
		redis.call('SET', KEYS[1], new, 'PX', ARGV[8])
	else
		redis.call('SET', KEYS[1], new, 'KEEPTTL')
	end
end

if ARGV[5] ~= '' then
	redis.call('ZADD', KEYS[2], ARGV[5], ARGV[4])
	return {'ok', ''}
end

if not again and open then -- a settled one was counted and left its lane when it settled
	redis.call('ZREM', KEYS[2], ARGV[4])
	if string.sub(cur, 27, 27) == 'c' then
		local left = redis.call('HINCRBY', KEYS[4], 'n', -1)
		if left < 0 then
			redis.call('DEL', KEYS[4]) -- it was erased
		elseif left == 0 then
			redis.call('PEXPIRE', KEYS[4], ARGV[8])
		end
	end
end
if ARGV[6] ~= '1' or not (again or open) then return {'ok', ''} end
if not again then
	local head = redis.call('LPOP', KEYS[3])
	if head ~= ARGV[4] then
		if head then redis.call('LPUSH', KEYS[3], head) end
		redis.call('LREM', KEYS[3], 1, ARGV[4])
		return {'ok', ''}
	end
end
local following = redis.call('LINDEX', KEYS[3], 0)
if not following then return {'ok', ''} end
local key = ARGV[12] .. following
local record = redis.call('GET', key) or ''
local claim = ARGV[13] ~= '' and string.sub(record, 13, 26) == 'p0000000000000' -- to be attempted first, claimed by nobody
if again then
	-- The first run may have settled one in the middle of the lane, and then its head was not released by it. A head that
	-- was, and that nobody has moved since, is still as the first run left it.
	local due = tonumber(redis.call('ZSCORE', KEYS[2], following) or 0)
	claim = ARGV[13] ~= '' and due == tonumber(ARGV[14]) and string.sub(record, 13, 26) == 'p' .. ARGV[13]
	if not claim then
		if due ~= tonumber(ARGV[7]) then return {'ok', ''} end
		return {'ok', following, record}
	end
elseif claim then
	local moved = string.format('%06x', (tonumber(string.sub(record, 7, 12), 16) + 1) % 16777216) .. 'p' .. ARGV[13]
	redis.call('SETRANGE', key, 6, moved)
	redis.call('ZADD', KEYS[2], ARGV[14], following)
	record = string.sub(record, 1, 6) .. moved .. string.sub(record, 27)
else
	redis.call('ZADD', KEYS[2], ARGV[7], following)
	return {'ok', following, record}
end
local newest = ''
if string.sub(record, 28, 28) == 'l' then newest = redis.call('LINDEX', KEYS[3], -1) end
if ARGV[16] ~= '1' then record = string.sub(record, 1, 38 + tonumber(string.sub(record, 35, 38), 16)) end
return {'ok', following, record, redis.call('HGET', KEYS[5], ARGV[15]) or '', newest}
