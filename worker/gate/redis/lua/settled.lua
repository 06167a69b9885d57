-- The outcome was published: from now on it is only kept to answer duplicates.
-- ARGV: ask, id.
local id = ARGV[2]
local record = P .. 'o:' .. id
local v = redis.call('HMGET', record, 'state', 'fingerprint', 'event')
if v[1] == 'concluded' then
  local generation = P .. 'e:' .. math.floor(now / ask.generation_s)
  redis.call('HSET', generation, id, v[2] .. v[3])
  if redis.call('PTTL', generation) < 0 then
    expire(generation, 3 * ask.generation_s)
  end
  redis.call('DEL', record)
end
return {'done', text(now)}
