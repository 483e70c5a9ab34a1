-- setback: most -> how many came in the future, because the clock was set back, and are
-- moved to now, with when they are due. Those that are due last are looked at, so many of
-- each lane: what is left comes at the next purge.
local moved = 0
for _, lane in ipairs(redis.call('SMEMBERS', tag .. ':lanes')) do
	for _, seq in ipairs(redis.call('ZREVRANGEBYSCORE', due_of(lane), '+inf', '(' .. whole(now), 'LIMIT', 0, ARGV[1])) do
		local future = tonumber(get(seq, 'received')) - now
		if future > 0 then
			local due = whole(tonumber(get(seq, 'due')) - future)
			redis.call('ZADD', due_of(lane), due, seq)
			redis.call('HSET', key_of(seq), 'received', whole(now), 'due', due)
			moved = moved + 1
		end
	end
end
return {moved}
