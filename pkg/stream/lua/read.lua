-- KEYS    3 stream, 4 meta of the target
-- ARGV    3 epoch and 4 sequence after which to read, 5 remember ms
-- returns {'ok', epoch, sequence, entries} or {'epoch' or 'trimmed', epoch, sequence}

local after = tonumber(ARGV[4])
local function answer(word, entries) return {word, text(epoch), text(seq), entries} end

if tonumber(ARGV[3]) ~= epoch or after > seq then return answer('epoch') end

local meta = redis.call('HMGET', KEYS[4], 'l', 'c')
if not meta[1] then
  -- No message in the time that is remembered. Was there one before it?
  local first = forget(tonumber(ARGV[5]))
  local _, old
  if first then _, old = splitmark(first) end
  if after < (old or seq) then return answer('trimmed') end
  return answer('ok', {})
end

local cut = meta[2]
if redis.call('EXISTS', KEYS[3]) == 0 then cut = meta[1] end
if cut and tonumber(cut) > after then return answer('trimmed') end
return answer('ok', redis.call('XRANGE', KEYS[3], text(after + 1) .. '-0', '+'))
