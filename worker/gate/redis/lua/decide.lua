-- The calls, one after the other, each with a reply of its own: what is wrong with one must not keep the
-- others from theirs, for what they wrote stays written.
local WIDTH = 6

local function decide(number)
  local at = WIDTH * (number - 1)
  begin_call(KEYS[2 * number - 1], KEYS[2 * number], ARGV[at + 2])
  -- A Redis that was frozen finds old calls in its sockets: whoever made them asks again by now.
  if ask.by > 0 and now > ask.by then
    return {'stale', text(now)}
  end
  return decisions[ARGV[at + 1]](ARGV[at + 3], ARGV[at + 4], ARGV[at + 5], ARGV[at + 6])
end

local replies = {}
for number = 1, #KEYS / 2 do
  local is_good, reply = pcall(decide, number)
  if not is_good and type(reply) == 'string' then
    -- What Lua itself raises, and up to Redis 6.2 also what a command answered.
    reply = {err = reply}
  end
  replies[number] = reply
end
return replies
