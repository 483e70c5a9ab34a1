-- record: lane, id, token, status, delay, back, counts, unsure, error, kept leases of each
-- end -> 1 for each whose token does not hold, else 0.
local lost = {}
for i = 1, #ARGV, 10 do
	local lane, id, token, to = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
	local seq = find(lane, id)
	if not seq or token == '' or get(seq, 'status') ~= 'working' or get(seq, 'token') ~= token then
		lost[#lost + 1] = 1
	else
		lost[#lost + 1] = 0
		if to == '' then
			forget(seq, lane, id, 'working')
		else
			local at = now
			if to == 'waiting' then
				at = now + tonumber(ARGV[i + 4])
				if ARGV[i + 5] == '1' then at = math.min(now, tonumber(get(seq, 'received'))) end
			end
			move(seq, lane, 'working', to, at)
			redis.call('HINCRBY', key_of(seq), 'failures', ARGV[i + 6])
			redis.call('HINCRBY', key_of(seq), 'lost', 0 - tonumber(ARGV[i + 9]))
			redis.call('HSET', key_of(seq), 'unsure', ARGV[i + 7], 'error', ARGV[i + 8])
		end
	end
end
return lost
