-- Looks whether an open delivery is looked after: it must be in the due index, and in its lane if it takes turns.
--
-- KEYS[1] record, KEYS[2] due, KEYS[3] lane
-- ARGV[1] delivery id, ARGV[2] "1" when in a lane, ARGV[3] prefix of the keys of records
--
-- Returns {status letter, claimed at, due (ms, or ""), finding}; the letter of an open one behind the head of its lane is "w";
-- finding is "" when all is well, else "not_due", "not_in_lane" or "behind_settled". A delivery that is gone returns
-- {"", "", "", ""}.
local cur = redis.call('GETRANGE', KEYS[1], 0, 25)
if cur == '' then return {'', '', '', ''} end
local status = string.sub(cur, 13, 13)
local due = redis.call('ZSCORE', KEYS[2], ARGV[1]) or ''
local finding = ''
if status == 'p' or status == 'r' or status == 'k' then
	if due == '' then finding = 'not_due' end
	if ARGV[2] == '1' then
		local head = redis.call('LINDEX', KEYS[3], 0)
		if not redis.call('LPOS', KEYS[3], ARGV[1]) then
			finding = 'not_in_lane'
		elseif head ~= ARGV[1] then
			status = 'w'
			local record = redis.call('GETRANGE', ARGV[3] .. head, 0, 25)
			local hs = string.sub(record, 13, 13)
			if hs ~= 'p' and hs ~= 'r' and hs ~= 'k' then finding = 'behind_settled' end
		end
	end
end
return {status, string.sub(cur, 14, 26), due, finding}
