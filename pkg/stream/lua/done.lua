-- KEYS    1 the idempotency key
-- ARGV    1 life ms
-- returns 1, or 0 when the key is not known

if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 's', '1')
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
