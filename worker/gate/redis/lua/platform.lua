-- The state of the whole app: KEYS[1] a hash, KEYS[2] a prefix for who was refused with what.
-- ARGV[1] is a JSON object, `ask`; ask.what says which of the functions below.
local ask = cjson.decode(ARGV[1])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local platform = KEYS[1]

local function text(moment)
  return string.format('%.6f', moment)
end

-- Whether the caller is the one that asks; then the state: until (0 when open), probed, the
-- refusal that was an outage, since when, the error.
local is_probe = '0'
local function state()
  local v = redis.call('HMGET', platform, 'until', 'probed', 'kind', 'since', 'error')
  return {is_probe, v[1] or '0', v[2] or '0', v[3] or '', v[4] or '0', v[5] or ''}
end

local function close(failure, kind, cooldowns)
  local v = redis.call('HMGET', platform, 'until', 'probed', 'strikes')
  local strikes = 1
  if v[1] and tonumber(v[1]) > 0 then
    -- Calls that were under way when it closed say nothing new.
    local is_again = v[2] == '1' or tonumber(v[1]) <= now
    strikes = tonumber(v[3] or 0) + (is_again and 1 or 0)
  end
  local opens_at = now + cooldowns[math.min(strikes, #cooldowns)]
  if v[1] and v[2] == '0' then
    opens_at = math.max(opens_at, tonumber(v[1]))
  end
  redis.call('HSET', platform, 'until', text(opens_at), 'probed', '0', 'error', failure,
    'strikes', strikes)
  if kind ~= '' then
    redis.call('HSET', platform, 'kind', kind, 'since', text(now))
  end
  redis.call('PEXPIRE', platform, math.ceil((opens_at - now + 3600) * 1000))
end

if ask.what == 'ask' then
  -- Whoever comes first after the end is the one that asks; the others wait for its answer.
  local v = redis.call('HMGET', platform, 'until', 'probed', 'asker')
  if v[1] and tonumber(v[1]) > 0 and now >= tonumber(v[1]) then
    redis.call('HSET', platform, 'probed', '1', 'asker', ask.asker, 'until',
      text(now + ask.probe_s))
    is_probe = '1'
  elseif v[2] == '1' and v[3] == ask.asker then
    is_probe = '1'
  end
elseif ask.what == 'give up' then
  -- The one that asked got no answer: the next one may ask.
  local v = redis.call('HMGET', platform, 'probed', 'asker')
  if v[1] == '1' and v[2] == ask.asker then
    redis.call('HSET', platform, 'probed', '0', 'until', text(now))
  end
elseif ask.what == 'throttle' then
  close(ask.error, '', ask.cooldowns)
elseif ask.what == 'refused' then
  local victims = KEYS[2] .. ask.kind
  redis.call('ZADD', victims, text(now), ask.account)
  redis.call('ZREMRANGEBYSCORE', victims, '-inf', text(now - ask.within_s))
  redis.call('PEXPIRE', victims, math.ceil(ask.within_s * 1000))
  local refused = redis.call('ZCARD', victims)
  local v = redis.call('HMGET', platform, 'until', 'kind')
  local goes_on = v[1] and tonumber(v[1]) > 0 and v[2] == ask.kind
  if goes_on or (refused >= ask.outage_accounts and refused > ask.good_accounts) then
    close(ask.error, ask.kind, ask.cooldowns)
  end
elseif ask.what == 'reopen' then
  -- Only the one that asks opens it: others were under way when it closed.
  local v = redis.call('HMGET', platform, 'probed', 'asker')
  if v[1] == '1' and v[2] == ask.asker then
    local kind = redis.call('HGET', platform, 'kind')
    if kind then
      redis.call('DEL', KEYS[2] .. kind)
    end
    redis.call('HSET', platform, 'until', '0', 'probed', '0', 'strikes', '0')
  end
end
return state()
