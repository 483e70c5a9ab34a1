-- rerun: after, limit, filter -> where to go on or "", how many were changed. The
-- filter has no status of items that stay.
local chosen, more, last = choose(ARGV[1], tonumber(ARGV[2]), 3)
for _, seq in ipairs(chosen) do
	local status = get(seq, 'status')
	if status ~= 'waiting' then zero(seq) end
	local due = status == 'waiting' and math.min(now, tonumber(get(seq, 'due'))) or now
	move(seq, get(seq, 'lane'), status, 'waiting', due)
end
return {more and last or '', #chosen}
