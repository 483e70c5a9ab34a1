-- list: after, limit, whether with bodies, filter -> where the next page begins or "",
-- items.
local chosen, more, last = choose(ARGV[1], tonumber(ARGV[2]), 4)
local body = ARGV[3] == '1'
local answer, bytes, given = {''}, 0, ''
for _, seq in ipairs(chosen) do
	if body then bytes = bytes + redis.call('HSTRLEN', key_of(seq), 'body') end
	if bytes > most_bytes and #answer > 1 then
		more, last = true, given
		break
	end
	answer[#answer + 1] = out(seq, body)
	given = seq
end
if more then answer[1] = last end
return answer
