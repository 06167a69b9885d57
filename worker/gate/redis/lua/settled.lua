-- The outcome was published. By a script only when it took long: then another worker may have taken it
-- over meanwhile, and the mark may be that one's.
function decisions.settled(id)
  local _, nonce = unpublished(id)
  if nonce == ask.nonce then
    redis.call('HDEL', P .. 'u', id)
  end
  return {'done', text(now)}
end
