-- Records an attempt (or a settlement without one) and moves the delivery on, if it is still as the caller saw it.
-- The Event is kept in any case when a request may have gone out: one POST, one Event.
--
-- KEYS[1] record, KEYS[2] due, KEYS[3] lane, KEYS[4] snapshot, KEYS[5..] indexes that the Event enters
-- ARGV[1] first 26 characters of the record as the caller saw it (they hold a revision), ARGV[2] record to be
-- ARGV[3] delivery id, ARGV[4] due (ms), "" when terminal; ARGV[5] "1" when in a lane
-- ARGV[6] due of the lane's next (ms), ARGV[7] retention (ms)
-- ARGV[8] Event field ("" for none), ARGV[9] Event, ARGV[10] index member, ARGV[11] "1": keep the Event in any case
--
-- Returns {"gone"}, {"late"}, or {"ok", id of the lane's next or ""}. A second run of the same call returns the same.
local cur = redis.call('HGET', KEYS[1], 'r')
if not cur then return {'gone'} end
local again = cur == ARGV[2]
local mine = again or string.sub(cur, 1, 26) == ARGV[1]
local was = string.sub(cur, 13, 13)
local open = was == 'p' or was == 'r' or was == 'k'
if ARGV[8] ~= '' and (mine or ARGV[11] == '1') then
	redis.call('HSET', KEYS[1], ARGV[8], ARGV[9])
	for n = 5, #KEYS do redis.call('ZADD', KEYS[n], 0, ARGV[10]) end
end
if not mine then return {'late'} end

if not again then redis.call('HSET', KEYS[1], 'r', ARGV[2]) end
if ARGV[4] ~= '' then
	redis.call('ZADD', KEYS[2], ARGV[4], ARGV[3])
	return {'ok', ''}
end

if not again and open then -- a settled one was counted and left its lane when it settled
	redis.call('ZREM', KEYS[2], ARGV[3])
	redis.call('PEXPIRE', KEYS[1], ARGV[7])
	if redis.call('EXISTS', KEYS[4]) == 1 and redis.call('HINCRBY', KEYS[4], 'n', -1) <= 0 then
		redis.call('PEXPIRE', KEYS[4], ARGV[7])
	end
end
if ARGV[5] ~= '1' or not (again or open) then return {'ok', ''} end
if not again then
	local head = redis.call('LINDEX', KEYS[3], 0)
	redis.call('LREM', KEYS[3], 1, ARGV[3])
	if head ~= ARGV[3] then return {'ok', ''} end
end
local following = redis.call('LINDEX', KEYS[3], 0)
if not following then return {'ok', ''} end
if not again then
	redis.call('ZADD', KEYS[2], ARGV[6], following)
	return {'ok', following}
end
-- The first run may have settled one in the middle of the lane, and then its head was not released by it. A head that
-- was, and that nobody has claimed since, is still due when the first run said.
local due = redis.call('ZSCORE', KEYS[2], following)
return {'ok', due and tonumber(due) == tonumber(ARGV[6]) and following or ''}
