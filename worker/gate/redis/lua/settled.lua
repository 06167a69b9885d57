-- The outcome was published. ARGV: ask, id. By a script only when it took long: then another worker
-- may have taken it over meanwhile, and the mark may be that one's.
local id = ARGV[2]
local _, nonce = unpublished(id)
if nonce == ask.nonce then
  redis.call('HDEL', P .. 'u', id)
end
return {'done', text(now)}
