-- KEYS    3 log, 4 stream, 5 mids, 6 meta of the target
-- ARGV    3 target, 4 mid, 5 body, 6 channel, 7 max entries, 8 max bytes,
--         9 window ms, 10 remember ms, 11 log entries
-- returns {1 if the mid was there already, epoch, sequence}
--
-- stream: id <sequence>-0, fields m mid, b body
-- mids:   sorted set mid -> sequence
-- meta:   hash b bytes in the stream, l last sequence appended, c last sequence
--         cut off, k mark at which age was looked at last

local target, mid, body = ARGV[3], ARGV[4], ARGV[5]
local window, remember = tonumber(ARGV[9]), tonumber(ARGV[10])
local step = math.floor(window / 16)

local before = redis.call('ZSCORE', KEYS[5], mid)
if before then return {1, text(epoch), text(tonumber(before))} end

seq = seq + 1
local id = text(seq)
if now - mark >= step or now < mark then
  redis.call('RPUSH', KEYS[2], text(now) .. ':' .. text(seq - 1))
  redis.call('PEXPIRE', KEYS[2], text(2 * remember))
  forget(remember)
  mark = now
  redis.call('HSET', KEYS[1], 'q', id, 'k', text(mark))
else
  redis.call('HSET', KEYS[1], 'q', id)
end

-- A stream that is ahead of the sequence is left over from a state that was
-- deleted while the clock stepped back. It is worth nothing, and so is its meta.
local function add(key, meta, ...)
  local ok = redis.pcall('XADD', key, ...)
  if type(ok) == 'table' and ok.err then
    redis.call('DEL', key, meta)
    redis.call('XADD', key, ...)
  end
end
add(KEYS[3], KEYS[3], 'MAXLEN', '~', ARGV[11], id .. '-0', 't', target, 'm', mid)
add(KEYS[4], KEYS[6], id .. '-0', 'm', mid, 'b', body)
redis.call('ZADD', KEYS[5], id, mid)

local size = #body + 64
local meta = redis.call('HMGET', KEYS[6], 'b', 'l', 'k')
local bytes = (tonumber(meta[1]) or 0) + size
local count = redis.call('XLEN', KEYS[4])
local cut
if count == 1 then
  bytes, cut = size, meta[2] -- the former entries have expired
end

-- Once per mark the old goes and the keys' lives are prolonged.
local fresh = meta[3] == text(mark)
local old = 0
if not fresh then
  local marks = redis.call('LRANGE', KEYS[2], -20, -1)
  for i = #marks, 1, -1 do
    local t, q = splitmark(marks[i])
    if t <= now - window then old = q break end
  end
  if old > 0 then redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', text(old)) end
end

local limit, most = tonumber(ARGV[7]), tonumber(ARGV[8])
local from, page, done = '-', 1, false
while not done and count > 1 and (count > limit or bytes > most or old > 0) do
  local entries = redis.call('XRANGE', KEYS[4], from, '+', 'COUNT', page)
  if #entries == 0 then break end
  for _, entry in ipairs(entries) do
    local q = tonumber(string.match(entry[1], '^%d+'))
    if count <= 1 or not (count > limit or bytes > most or q <= old) then done = true break end
    bytes = bytes - #entry[2][4] - 64
    count = count - 1
    cut = text(q)
    from = text(q + 1) .. '-0'
  end
  page = math.min(page * 4, 64)
end
if from ~= '-' then redis.call('XTRIM', KEYS[4], 'MINID', from) end

redis.call('HSET', KEYS[6], 'b', text(bytes), 'l', id)
if cut then redis.call('HSET', KEYS[6], 'c', cut) end
if not fresh then
  redis.call('HSET', KEYS[6], 'k', text(mark))
  redis.call('PEXPIRE', KEYS[4], text(window + 2 * step))
  redis.call('PEXPIRE', KEYS[5], text(window + 2 * step))
  redis.call('PEXPIRE', KEYS[6], text(remember + 2 * step))
end

redis.call('PUBLISH', ARGV[6], text(epoch) .. ' ' .. id .. ' ' .. mid .. ' ' .. #target .. ' ' .. target .. body)
return {0, text(epoch), id}
