-- Write the result of a pass; `event` is "" if it goes on.
-- ask.ending is "ended", "waiting" (parked until ask.due), "doubtful" (the same, to be verified) or
-- "handed back".
local function end_with(id, packed)
  local generation = P .. 'e:' .. math.floor(now / ask.generation_s)
  redis.call('HSET', generation, id, packed)
  if redis.call('PTTL', generation) < 0 then
    expire(generation, 3 * ask.generation_s)
  end
  mark_unpublished(id)
  redis.call('DEL', P .. 'o:' .. id)
end

function decisions.conclude(id, fingerprint, progress, event)
  local record, ending = P .. 'o:' .. id, ask.ending
  if ending ~= 'ended' and is_lost(record, id) then
    -- This was concluded before and only the answer was lost, or this worker was away for longer than
    -- its lease: by now another one has the request in hand.
    return {'done', text(now)}
  end
  if ask.unused then
    give_back(ask.unused)
  end
  if ask.went_well then
    remember(ask.message_id)
    note_author()
    reopen(id)
  else
    give_up_asking(id)
  end

  if ending == 'ended' then
    end_with(id, fingerprint .. event)
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
end
