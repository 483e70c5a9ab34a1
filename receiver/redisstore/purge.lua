-- purge: status, how long it is kept, most -> how many were removed.
local old = redis.call('ZRANGEBYSCORE', ended_of(ARGV[1]), '-inf', '(' .. whole(now - tonumber(ARGV[2])), 'LIMIT', 0, ARGV[3])
for _, seq in ipairs(old) do if sound(seq) then forget(seq, get(seq, 'lane'), get(seq, 'id'), ARGV[1]) end end
return {#old}
