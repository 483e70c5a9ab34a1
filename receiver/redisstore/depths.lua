-- depths -> lane, status, count, arrival of the oldest of each, one behind the other.
local lanes = redis.call('SMEMBERS', tag .. ':lanes')
table.sort(lanes)
local answer = {}
for _, lane in ipairs(lanes) do
	for _, status in ipairs({'failed', 'waiting', 'working'}) do
		local first
		repeat first = redis.call('ZRANGE', place(status, lane), 0, 0)[1] until not first or sound(first)
		if first then
			for _, word in ipairs({lane, status, redis.call('ZCARD', place(status, lane)), get(first, 'received')}) do
				answer[#answer + 1] = word
			end
		end
	end
end
return answer
