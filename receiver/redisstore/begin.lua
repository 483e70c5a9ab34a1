-- begin: lane, id, type, delivery, body, length of the lease, token -> standing, item.
local lane, id = ARGV[1], ARGV[2]
local seq = find(lane, id) or add(lane, id, ARGV[3], ARGV[4], ARGV[5])
local status = get(seq, 'status')
if status == 'done' then return {'ended', out(seq, true)} end
if status == 'working' and now < tonumber(get(seq, 'due')) then return {'busy', out(seq, true)} end
if status == 'failed' then zero(seq) end
lease(seq, lane, tonumber(ARGV[6]), ARGV[7])
return {'begun', out(seq, true)}
