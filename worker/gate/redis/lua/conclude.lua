-- Write the result of a pass. ARGV: ask, id, fingerprint, progress, event ("" if it goes on).
-- ask.ending is "ended", "waiting" (parked until ask.due), "doubtful" (the same, to be verified) or
-- "handed back".
local id, fingerprint, progress, event = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local record = P .. 'o:' .. id
local ending = ask.ending

local nonce = redis.call('HGET', record, 'nonce')
if nonce and nonce ~= ask.nonce and ending ~= 'ended' then
  -- This was concluded before and only the answer was lost, or this worker was away for longer than
  -- its lease: by now another one has the request in hand.
  return {'done', text(now)}
end
if ask.unused then
  give_back(ask.unused)
end
if ask.went_well then
  remember(ask.message_id)
  reopen(id)
end
give_up_asking(id)

if ending == 'ended' then
  -- Until it is published (settled.lua), whoever finds it with a dead lease publishes it.
  write(record, fingerprint, 'concluded', now + LEASE_S, 0, '')
  redis.call('HSET', record, 'event', event)
elseif ending == 'doubtful' then
  write(record, fingerprint, 'doubtful', 0, ask.in_doubt_since, progress)
else
  forget(record, fingerprint, progress)
end

if ending == 'waiting' or ending == 'doubtful' then
  hold_place(id, ask.due, '')
else
  leave(id)
end
return {'done', text(now)}
