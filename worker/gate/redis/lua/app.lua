-- The app's bucket: KEYS[1], a hash with arrival and schedule. ARGV[1] is a JSON object, `ask`:
-- a slot from `in_s` from now on, at most `hold_s` later; else a place in the schedule.
-- Answers in seconds from now, for clocks differ.
local ask = cjson.decode(ARGV[1])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local v = redis.call('HMGET', KEYS[1], 'arrival', 'schedule')
local arrival, schedule = tonumber(v[1] or 0), tonumber(v[2] or 0)

local at = now + ask.in_s
local slot = math.max(at, arrival - (ask.burst - 1) * ask.interval)
local is_taken = slot <= at + ask.hold_s
if is_taken then
  arrival = math.max(arrival, slot) + ask.interval
else
  schedule = math.max(schedule, arrival) + ask.interval
  slot = schedule
end
redis.call('HSET', KEYS[1], 'arrival', string.format('%.6f', arrival), 'schedule',
  string.format('%.6f', schedule))
redis.call('PEXPIRE', KEYS[1], math.ceil((math.max(arrival, schedule) - now + 60) * 1000))
return {is_taken and 'slot' or 'schedule', string.format('%.6f', slot - now)}
