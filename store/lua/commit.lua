-- Commits a change of an order, of its notifications, or of both, with all deliveries that it owes; or nothing.
--
-- KEYS[1]  order            hash
-- KEYS[2]  notifications    hash
-- KEYS[3]  snapshot         hash, of a change that is owed several times
-- KEYS[4]  due              sorted set
-- KEYS[5]  history          sorted set: the order's deliveries by time
-- KEYS[6..] for each delivery: its record (string), its lane (list)
--
-- ARGV[1]  token the writer has seen ("" for none)
-- ARGV[2]  new token
-- ARGV[3]  count of order field/value pairs, then these pairs
-- next     count of notifications to put, then id/record pairs
-- next     count of notifications to remove, then ids
-- next     snapshot ("" for none)
-- next     now (ms), due of a head (ms), due of one that waits (ms)
-- next     for each delivery: id, id in the history, record, ordering
--
-- Returns {"conflict"}, or {"ok", then for each delivery "1" when it may begin and "0" when it waits}
-- A second run of the same call (its answer was lost) changes nothing and returns the same, also when others have written
-- meanwhile: the order keeps the tokens of its last eight writes, 16 bytes each, newest first.
local i = 3
local function take()
	local v = ARGV[i]
	i = i + 1
	return v
end

local tokens = redis.call('HGET', KEYS[1], 'k') or ''
local again = string.find(tokens, ARGV[2], 1, true)
	or tokens == '' and #KEYS > 5 and redis.call('EXISTS', KEYS[6]) == 1 -- and the order was deleted since
if not again and string.sub(tokens, 1, 16) ~= ARGV[1] then
	return {'conflict'}
end

local fields = {'k', ARGV[2] .. string.sub(tokens, 1, 7 * 16)}
for _ = 1, 2 * tonumber(take()) do
	fields[#fields + 1] = take()
end
if not again then
	redis.call('HSET', KEYS[1], unpack(fields))
	if tokens == '' then redis.call('PERSIST', KEYS[1]) end -- what was left of one that was erased would expire
end
for _ = 1, tonumber(take()) do
	local id, record = take(), take()
	if not again then redis.call('HSET', KEYS[2], id, record) end
end
for _ = 1, tonumber(take()) do
	local id = take()
	if not again then redis.call('HDEL', KEYS[2], id) end
end

local snapshot, now, due, dueWaiting = take(), take(), take(), take()
local count = (#KEYS - 5) / 2
if snapshot ~= '' and not again then
	redis.call('HSET', KEYS[3], 'b', snapshot, 'n', count)
end

local reply = {'ok'}
for n = 1, count do
	local record, lane = KEYS[4 + 2 * n], KEYS[5 + 2 * n]
	local id, member, value, ordering = take(), take(), take(), take()
	local first = true
	if not again then
		redis.call('SET', record, value)
		redis.call('ZADD', KEYS[5], now, member)
	end
	if ordering ~= 'none' then
		if again then
			first = redis.call('LINDEX', lane, 0) == id
		else
			first = redis.call('RPUSH', lane, id) == 1
		end
	end
	if not again then
		redis.call('ZADD', KEYS[4], first and due or dueWaiting, id)
	end
	reply[n + 1] = first and '1' or '0'
end
return reply
