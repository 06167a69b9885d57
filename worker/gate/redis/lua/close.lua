-- Close the account: for good (ask.final), or for a cooldown (ask.cooldowns by strikes), and say when
-- this request is due again. `failure` is the error as JSON.
function decisions.close(_, failure)
  if ask.final then
    local opens_at = now + ask.again_s
    local before = redis.call('HMGET', P .. 'c', 'final', 'probed', 'until', 'cools')
    local cools = before[4]
    if before[1] == '0' then
      cools = before[2] == '0' and before[3]
    end
    redis.call('HSET', P .. 'c', 'until', text(opens_at), 'error', failure, 'final', '1',
      'token', ask.token, 'probed', '0', 'kind', ask.kind, 'since', text(now), 'strikes', 1,
      'cools', cools or '0')
    expire(P .. 'c', 2 * ask.again_s)
    redis.call('PUBLISH', ask.closings, ask.account .. ' ' .. text(opens_at) .. ' refused')
    return {'closed', text(now), failure}
  end

  local v = redis.call('HMGET', P .. 'c', 'until', 'final', 'probed', 'strikes', 'cools')
  if v[2] == '1' and v[3] == '0' then
    -- A call that was under way: the account is refused all the same.
    local cools = math.max(number(v[5]), now + ask.cooldowns[1])
    redis.call('HSET', P .. 'c', 'cools', text(cools))
    return {'not yet', text(now), text(park(ask.paces[ask.sent + 1], cools)), 'cooldown'}
  end
  local strikes = 1
  if v[1] and v[2] == '0' then
    -- Calls that were under way when it closed say nothing new.
    local is_again = v[3] == '1' or number(v[1]) <= now
    strikes = number(v[4]) + (is_again and 1 or 0)
  end
  local opens_at = now + ask.cooldowns[math.min(strikes, #ask.cooldowns)]
  if v[1] and v[3] == '0' then
    opens_at = math.max(opens_at, number(v[1]))
  end
  redis.call('HSET', P .. 'c', 'until', text(opens_at), 'error', failure, 'final', '0',
    'token', '', 'probed', '0', 'kind', '', 'since', text(now), 'strikes', strikes)
  expire(P .. 'c', opens_at - now + 3600)
  redis.call('PUBLISH', ask.closings, ask.account .. ' ' .. text(opens_at) .. ' throttled')
  return {'not yet', text(now), text(park(ask.paces[ask.sent + 1], opens_at)), 'cooldown'}
end
