-- Every script begins with this part. KEYS[1] is the shard's state, KEYS[2] its
-- marks; ARGV[1] tells whether to ask for the server's run id, ARGV[2] is the
-- highest sequence that the caller has ever seen of this shard.
--
-- state: hash e epoch, q sequence, r run id, k time of the newest mark (ms)
-- marks: list of "ms:q": what has a sequence above q was appended at ms or later,
--        all the rest before

-- text prints a whole number below 2^53, which Lua would round to 14 digits
local function text(n) return string.format('%.0f', n) end

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)

local function runid()
  local info = redis.pcall('INFO', 'server')
  if type(info) ~= 'string' then return 'none' end
  return string.match(info, 'run_id:(%w+)') or 'none'
end

local state = redis.call('HMGET', KEYS[1], 'e', 'q', 'r', 'k')
local epoch, seq, mark = tonumber(state[1]), tonumber(state[2]), tonumber(state[4]) or 0
do
  local seen = tonumber(ARGV[2])
  local lost = not epoch or not seq or seq < seen
  if lost or ARGV[1] == '1' then
    local run = runid()
    if lost or run ~= state[3] then
      -- Nobody knows what the server had accepted last: begin anew, above
      -- every number that can have been given out.
      epoch = math.max(now * 1000, seen + 1, (seq or 0) + 1)
      seq = epoch
      redis.call('HSET', KEYS[1], 'e', text(epoch), 'q', text(seq), 'r', run)
    end
  end
end

local function splitmark(m)
  local t, q = string.match(m, '^(%d+):(%d+)$')
  return tonumber(t), tonumber(q)
end

-- forget drops the marks that are older than age
local function forget(age)
  while true do
    local first = redis.call('LINDEX', KEYS[2], 0)
    if not first or splitmark(first) > now - age then return first end
    redis.call('LPOP', KEYS[2])
  end
end
