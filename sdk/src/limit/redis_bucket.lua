-- A token bucket in one hash, in one step: nobody can look between the refill and the taking.
-- Time is Redis's own, so that the clocks of the instances do not matter.
-- KEYS[1] the bucket; ARGV: tokens a second, size, cost.
local rate, size, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(kept[1]) or size, tonumber(kept[2]) or now
tokens = math.min(size, tokens + math.max(0, now - at) * rate / 1000000)
local allowed = 0
if tokens + 1e-9 >= cost then
  tokens = math.max(0, tokens - cost)
  allowed = 1
end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.9f', tokens), 'at', string.format('%.0f', math.max(at, now)))
-- A bucket nobody asked for so long is full again, which is what a missing one is.
redis.call('PEXPIRE', KEYS[1], math.ceil(size / rate * 1000) + 1000)
-- Redis cuts numbers to integers: thousandths of a token.
return {allowed, math.floor(tokens * 1000)}
