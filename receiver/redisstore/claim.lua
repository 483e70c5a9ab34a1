-- claim: lane, most, length of the lease, token -> time until the next is due, items.
-- The token is that of the call, with the item's number behind it.
local lane = ARGV[1]
local due = redis.call('ZRANGEBYSCORE', due_of(lane), '-inf', whole(now), 'LIMIT', 0, ARGV[2])
local taken, bytes = {}, 0
for _, seq in ipairs(due) do
	if sound(seq) then
		bytes = bytes + redis.call('HSTRLEN', key_of(seq), 'body')
		if bytes > most_bytes and #taken > 0 then break end
		taken[#taken + 1] = seq
		lease(seq, lane, tonumber(ARGV[3]), ARGV[4] .. '.' .. seq)
	end
end
table.sort(taken)
local answer = {'-1'}
for _, seq in ipairs(taken) do answer[#answer + 1] = out(seq, true) end
local first = redis.call('ZRANGE', due_of(lane), 0, 0, 'WITHSCORES')
if first[2] then answer[1] = whole(math.max(0, tonumber(first[2]) - now)) end
return answer
