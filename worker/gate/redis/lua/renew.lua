-- This worker still has the request in hand.
function decisions.renew(id)
  local record = P .. 'o:' .. id
  if redis.call('HGET', record, 'nonce') == ask.nonce then
    redis.call('HSET', record, 'lease', text(now + LEASE_S))
    hold_place(id, now + LEASE_S, ask.worker)
    return {'done', text(now)}
  end
  local _, nonce = unpublished(id)
  if nonce == ask.nonce then
    mark_unpublished(id)
  end
  return {'done', text(now)}
end
