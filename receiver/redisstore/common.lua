-- What all scripts begin with. KEYS[1] is the hash tag of the inbox. All that is kept:
--   <tag>                     the number of the last item: the order of arrival
--   <tag>:names               hash: the name of an item -> its number
--   <tag>:lanes               set: the lanes that had an item
--   <tag>:item:<number>       hash: the item
--   <tag>:due:<lane>          sorted set: numbers by when they are due; what waits or is worked on
--   <tag>:<status>:<lane>     sorted set: numbers in the order of arrival
--   <tag>:ended:<status>      sorted set: numbers by when they ended; what is done or failed
-- An item's "set" is when its "due" was written.
-- Numbers have sixteen digits, so that their order as texts, by which Redis sorts
-- members of the same score, is that of arrival. Times are milliseconds since 1970.
local tag = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- most_bytes bounds the bodies of one answer, in which more than one comes.
local most_bytes = 16777216

local function whole(n) return string.format('%.0f', n) end
local function key_of(seq) return tag .. ':item:' .. seq end
local function place(status, lane) return tag .. ':' .. status .. ':' .. lane end
local function due_of(lane) return tag .. ':due:' .. lane end
local function ended_of(status) return tag .. ':ended:' .. status end
local function name_of(lane, id) return #lane .. ':' .. lane .. id end
local function get(seq, field) return redis.call('HGET', key_of(seq), field) end
local function live(status) return status == 'waiting' or status == 'working' end

-- find gives the number of an item. A name whose item the server threw away is forgotten.
local function find(lane, id)
	local seq = redis.call('HGET', tag .. ':names', name_of(lane, id))
	if seq and redis.call('EXISTS', key_of(seq)) == 0 then
		redis.call('HDEL', tag .. ':names', name_of(lane, id))
		return false
	end
	return seq
end

-- sound tells whether an item is whole and its name leads to it. A name that the server
-- threw away is given again. What is not sound is what the server threw away, what came
-- again since its name was, or what add left when it broke off: it is taken out everywhere.
local function sound(seq)
	local lane, id, status = unpack(redis.call('HMGET', key_of(seq), 'lane', 'id', 'status'))
	if lane and id then
		local named = find(lane, id)
		if status and not named then
			redis.call('HSET', tag .. ':names', name_of(lane, id), seq)
			named = seq
		end
		if named == seq then
			if not status then redis.call('HSET', key_of(seq), 'status', 'waiting') end
			return true
		end
	end
	for _, lane in ipairs(redis.call('SMEMBERS', tag .. ':lanes')) do
		redis.call('ZREM', due_of(lane), seq)
		for _, status in ipairs({'waiting', 'working', 'done', 'failed'}) do redis.call('ZREM', place(status, lane), seq) end
	end
	for _, status in ipairs({'done', 'failed'}) do redis.call('ZREM', ended_of(status), seq) end
	redis.call('DEL', key_of(seq))
	return false
end

-- out gives an item as Go reads it.
local function out(seq, body)
	local item = redis.call('HMGET', key_of(seq), 'lane', 'id', 'type', 'delivery', 'received', 'status',
		'tries', 'failures', 'lost', 'unsure', 'due', 'ended', 'error', 'token')
	item[#item + 1] = body and get(seq, 'body') or ''
	return item
end

-- move gives an item another status, in all sets. At is when it is due, or has ended.
local function move(seq, lane, from, to, at)
	if from ~= to then
		redis.call('ZREM', place(from, lane), seq)
		redis.call('ZADD', place(to, lane), seq, seq)
	end
	if live(from) and not live(to) then redis.call('ZREM', due_of(lane), seq) end
	if not live(from) then redis.call('ZREM', ended_of(from), seq) end
	local due, ended = '0', '0'
	if live(to) then
		due = whole(at)
		redis.call('ZADD', due_of(lane), due, seq)
	else
		ended = whole(at)
		redis.call('ZADD', ended_of(to), ended, seq)
	end
	redis.call('HSET', key_of(seq), 'status', to, 'due', due, 'set', whole(now), 'ended', ended, 'token', '')
end

-- forget removes an item and all that points to it.
local function forget(seq, lane, id, status)
	redis.call('DEL', key_of(seq))
	redis.call('HDEL', tag .. ':names', name_of(lane, id))
	redis.call('ZREM', place(status, lane), seq)
	if live(status) then
		redis.call('ZREM', due_of(lane), seq)
	else
		redis.call('ZREM', ended_of(status), seq)
	end
end

-- add keeps an item that is not known. Its name and then its status come last: where a script
-- can break off, as in a cluster whose slots are moving, what has neither counts for nothing.
local function add(lane, id, kind, delivery, body)
	local seq = string.format('%016.0f', redis.call('INCR', tag))
	redis.call('HSET', key_of(seq), 'lane', lane, 'id', id, 'type', kind, 'delivery', delivery, 'body', body,
		'received', whole(now), 'tries', 0, 'failures', 0, 'lost', 0, 'unsure', 0,
		'due', whole(now), 'set', whole(now), 'ended', 0, 'error', '', 'token', '')
	redis.call('SADD', tag .. ':lanes', lane)
	redis.call('ZADD', place('waiting', lane), seq, seq)
	redis.call('ZADD', due_of(lane), whole(now), seq)
	redis.call('HSET', tag .. ':names', name_of(lane, id), seq)
	redis.call('HSET', key_of(seq), 'status', 'waiting')
	return seq
end

-- lease gives an item to somebody. One that is worked on already had a lease that ran
-- out.
local function lease(seq, lane, millis, token)
	local status = get(seq, 'status')
	if status == 'working' then
		redis.call('HINCRBY', key_of(seq), 'lost', 1)
		redis.call('HSET', key_of(seq), 'unsure', 1)
	end
	move(seq, lane, status, 'working', now + millis)
	redis.call('HINCRBY', key_of(seq), 'tries', 1)
	redis.call('HSET', key_of(seq), 'token', token)
end

-- zero makes the counts of an item those of a new one.
local function zero(seq) redis.call('HSET', key_of(seq), 'tries', 0, 'failures', 0, 'lost', 0) end

-- words reads a list of arguments behind its length, from the i-th on; nil when the
-- length is -1. It gives the place behind it, too.
local function words(i)
	local n = tonumber(ARGV[i])
	if n < 0 then return nil, i + 1 end
	local list, seen = {}, {}
	for j = i + 1, i + n do
		if not seen[ARGV[j]] then
			seen[ARGV[j]] = true
			list[#list + 1] = ARGV[j]
		end
	end
	return list, i + n + 1
end

-- choose gives the numbers of up to limit items behind the number after that a filter
-- chooses, in the order of arrival, and whether there are more. The filter is in the
-- arguments from the i-th on. The last value is where the next page begins behind.
local function choose(after, limit, i)
	local lanes, ids, statuses
	lanes, i = words(i)
	ids, i = words(i)
	statuses = words(i)
	if not lanes then lanes = redis.call('SMEMBERS', tag .. ':lanes') end
	local found = {}
	if ids then
		local wanted = {}
		for _, status in ipairs(statuses) do wanted[status] = true end
		for _, lane in ipairs(lanes) do
			for _, id in ipairs(ids) do
				local seq = find(lane, id)
				if seq and seq > after and wanted[get(seq, 'status')] then found[#found + 1] = seq end
			end
		end
	else
		for _, lane in ipairs(lanes) do
			for _, status in ipairs(statuses) do
				for _, seq in ipairs(redis.call('ZRANGEBYSCORE', place(status, lane), '(' .. after, '+inf', 'LIMIT', 0, limit + 1)) do
					found[#found + 1] = seq
				end
			end
		end
	end
	table.sort(found)
	local chosen = {}
	for j = 1, math.min(limit, #found) do
		if ids or sound(found[j]) then chosen[#chosen + 1] = found[j] end
	end
	return chosen, #found > limit, found[limit]
end
