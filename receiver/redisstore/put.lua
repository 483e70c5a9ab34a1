-- put: lane, id, type, delivery, body of each item -> 1 for each that is new, else 0.
local fresh = {}
for i = 1, #ARGV, 5 do
	if find(ARGV[i], ARGV[i + 1]) then
		fresh[#fresh + 1] = 0
	else
		add(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])
		fresh[#fresh + 1] = 1
	end
end
return fresh
