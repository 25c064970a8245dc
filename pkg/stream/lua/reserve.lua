-- KEYS    1 the idempotency key: hash m mid, d digest, s 1 when done
-- ARGV    1 mid, 2 digest, 3 life ms
-- returns {state, mid}, the states numbered as in Go

local known = redis.call('HMGET', KEYS[1], 'm', 'd', 's')
if not known[1] then
  redis.call('HSET', KEYS[1], 'm', ARGV[1], 'd', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return {0, ARGV[1]}
end
if known[2] ~= ARGV[2] then return {3, known[1]} end
if known[3] then return {2, known[1]} end
return {1, known[1]}
