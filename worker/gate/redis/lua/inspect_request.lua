-- What is known of a request, for people. Writes nothing: no key, no TTL. KEYS as in common.lua.
-- ARGV: id, how long a generation of the ledger is, the conversation ("" if that is not known).
local P, id, who = KEYS[1], ARGV[1], ARGV[3]
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000

local record = redis.call('HMGET', P .. 'o:' .. id, 'state', 'nonce', 'lease', 'since', 'progress')

local ended = false
local generation = math.floor(now / tonumber(ARGV[2]))
for back = 0, 2 do
  if not record[1] and not ended then
    ended = redis.call('HGET', P .. 'e:' .. (generation - back), id)
  end
end

local place = false
if who ~= '' then
  local queue, holders = P .. 't:' .. who, P .. 'h:' .. who
  local rank = redis.call('ZRANK', queue, id)
  if rank then
    local head = redis.call('ZRANGE', queue, 0, 0)[1]
    place = {rank, redis.call('ZCARD', queue), redis.call('HGET', holders, id),
      redis.call('HGET', holders, head)}
  end
end
return {clock[1], clock[2], record, ended, place, redis.call('HGET', P .. 'u', id)}
