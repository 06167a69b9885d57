-- May the next part of a request go? Duplicate, doubt, deadline, turn, closed, rate: one decision.

-- Of the request that asks; the progress is what the message carries, or what the ledger knows better.
local id, fingerprint, progress, record
-- Whether its answer was lost, and what the record says of the disclosure where it knows better.
local is_repeated, told

local function doubtful(since)
  local rank = line_up(id)
  if rank > 0 and since > 0 then
    -- If it turns out to have gone, its next part follows at once: it must be alone by then.
    write(record, fingerprint, 'doubtful', 0, since, progress)
    if ask.may_wait and is_near(rank) then
      return {'turn soon', text(now)}
    end
    ask.deadline = 0
    return not_yet(look_again_at(rank), 'turn', id)
  end
  write(record, fingerprint, 'doubtful', now + LEASE_S, since, progress)
  return {'doubtful', text(now), text(since), progress,
    redis.call('HGET', record, 'recent') or '[]', ask.disclosure or ''}
end

-- rules.py says why. `event` is as codec.py packs it.
local function may_run_again(event)
  if not ask.is_returned or string.sub(event, 1, 1) ~= 'x' then
    return false
  end
  local told = cjson.decode(string.sub(event, 2))
  local before = told.replay
  if not before then
    return true
  end
  if before[1] == ask.batch and before[2] == ask.replays then
    return false
  end
  if ask.is_forced and told.status == 'held' and ask.replays <= before[2] then
    ask.is_unconfirmed, ask.in_doubt_since = true, ask.forced_since
  end
  return true
end

-- Concluded, and nobody said that it was published: but here is its letter, put back.
local function has_its_letter(event)
  if ask.replays == 0 or not may_run_again(event) then
    return false
  end
  local before = cjson.decode(string.sub(event, 2)).replay
  return ask.replays > (before and before[2] or 0)
end

-- Its place is its own to keep; this copy only looks again later.
local function elsewhere(lease)
  return {'not yet', text(now), text(math.min(lease, now + HOLD_S) + 0.5), 'elsewhere'}
end

local function known_to_have_ended()
  local packed, generation = ended(id)
  if not packed then
    return nil
  end
  if string.sub(packed, 1, 8) ~= fingerprint then
    return {'reused', text(now)}
  end
  local event, lease = string.sub(packed, 9), unpublished(id)
  if lease and lease > now then
    return elsewhere(lease)
  end
  local runs_again
  if lease then
    runs_again = has_its_letter(event)
  else
    runs_again = may_run_again(event)
  end
  if not runs_again then
    return {'concluded', text(now), event, lease and '0' or '1'}
  end
  redis.call('HDEL', generation, id)
  redis.call('HDEL', P .. 'u', id)
end

-- What the ledger knows. An answer, or nil when the request may run from `progress` on.
local function known()
  local v = redis.call('HMGET', record, 'fingerprint', 'state', 'nonce', 'lease', 'since',
    'progress', 'attempts', 'sent', 'disclosure')
  if not v[1] then
    return known_to_have_ended()
  end
  if v[1] ~= fingerprint then
    return {'reused', text(now)}
  end
  local is_ours, is_alive = v[3] == ask.nonce, number(v[4]) > now
  -- The same question again: its first answer was lost, and nothing was sent for it.
  is_repeated = is_ours and v[2] == 'running'
  if not is_ours and is_alive and v[2] ~= 'waiting' then
    return elsewhere(number(v[4]))
  end
  local stored_sent, stored_attempts = number(v[8]), number(v[7])
  if stored_sent > ask.sent or (stored_sent == ask.sent and stored_attempts > ask.attempts) then
    progress, ask.sent, ask.attempts = v[6], stored_sent, stored_attempts
    told = v[9] or ''
  end
  if v[2] == 'doubtful' or (v[2] == 'running' and not is_ours) then
    told = v[9] or ''
    ask.in_doubt_since = number(v[5])
    -- Without a moment it is doubt all the same, whoever asks again.
    ask.is_unconfirmed = ask.is_unconfirmed or v[2] == 'doubtful' and ask.in_doubt_since == 0
  end
  return nil
end

-- The limit that the next part counts against. What goes first is decided here: it is this request's
-- turn, so nobody else speaks in the conversation meanwhile.
local function next_pace()
  if ask.sent > 0 then
    local is_behind = ask.disclosure and not ask.is_preceded
    return ask.paces[ask.sent + (is_behind and 0 or 1)]
  end
  ask.disclosure = nil
  if ask.opening then
    local author, till = string.match(redis.call('GET', P .. 'd:' .. ask.who) or '', '^(%S+) (%S+)$')
    if author ~= 'automation' or tonumber(till) <= now then
      ask.disclosure = ask.opening
      return ask.opening_pace
    end
  end
  return ask.paces[1]
end

function decisions.admit(...)
  id, fingerprint, progress = ...
  record, is_repeated, told = P .. 'o:' .. id, false, nil
  local answer = known()
  if answer then
    return answer
  end
  if told then
    ask.disclosure = told ~= '' and told or nil
  end
  if ask.in_doubt_since > 0 or ask.is_unconfirmed then
    if not ask.resends or ask.is_unconfirmed then
      return doubtful(ask.in_doubt_since)
    end
    ask.attempts = ask.attempts + 1
  end
  if not ask.has_account then
    return {'no account', text(now)}
  end
  local start = math.max(now, ask.not_before)
  if ask.deadline > 0 and start > ask.deadline then
    return {'late', text(now)}
  end
  if start > now then
    return {'not yet', text(now), text(start), 'not_before'}
  end
  local rank = line_up(id)
  if rank > 0 then
    if ask.may_wait and is_near(rank) then
      return {'turn soon', text(now)}
    end
    return not_yet(look_again_at(rank), 'turn', id)
  end
  ask.has_begun, ask.is_unrecorded = ask.sent > 0, true
  local pace = next_pace()
  answer = slot_for(pace, id)
  if answer[1] == 'go' then
    if not ask.is_newcomer then
      redis.call('HDEL', P .. 'r', pace.bucket .. ':o')
    end
    begin(record, fingerprint, progress)
    answer[8], answer[9], answer[10] = progress, text(ask.attempts), ask.disclosure or ''
  elseif is_repeated then
    forget(record, fingerprint, progress)
  end
  return answer
end
