-- setback: most -> how many were made to wait, or leased, in the future, because the clock
-- was set back since, and are due as much earlier now. Those that are due last are looked
-- at, so many of each lane: what is left comes at the next purge.
local moved = 0
for _, lane in ipairs(redis.call('SMEMBERS', tag .. ':lanes')) do
	for _, seq in ipairs(redis.call('ZREVRANGEBYSCORE', due_of(lane), '+inf', '(' .. whole(now), 'LIMIT', 0, ARGV[1])) do
		local future = sound(seq) and tonumber(get(seq, 'set') or 0) - now or 0
		if future > 0 then
			local due = whole(tonumber(get(seq, 'due')) - future)
			local received = whole(math.min(now, tonumber(get(seq, 'received'))))
			redis.call('ZADD', due_of(lane), due, seq)
			redis.call('HSET', key_of(seq), 'received', received, 'due', due, 'set', whole(now))
			moved = moved + 1
		end
	end
end
return {moved}
