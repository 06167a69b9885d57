-- What is known of an account, for people. Writes nothing: no key, no TTL. KEYS as in common.lua.
-- ARGV: the names of the buckets, with blanks between them.
local clock = redis.call('TIME')
local fields = {}
for bucket in string.gmatch(ARGV[1], '%S+') do
  for _, field in ipairs({':a', ':s', ':x'}) do
    fields[#fields + 1] = bucket .. field
  end
end
return {
  clock[1], clock[2], redis.call('GET', KEYS[2]),
  redis.call('HMGET', KEYS[1] .. 'r', unpack(fields)),
  redis.call('HMGET', KEYS[1] .. 'c', 'until', 'error', 'final', 'token', 'probed', 'kind', 'since',
    'strikes'),
}
