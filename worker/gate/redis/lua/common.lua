-- What the decisions about accounts share. One run of the script takes many calls, for making these
-- functions takes a third of the time that a call does. KEYS has two for each call: the first is
-- "<prefix>:{<account>}:"; all keys of an account are made from it, so they share one hash slot. The
-- second holds when this Redis was first used. ARGV has six for each call (decide.lua): its decision,
-- a JSON object `ask`, and what that decision takes. The time is always that of Redis, never a
-- worker's.
--
-- Keys: o:<id>  an open request (hash)            e:<n>     how requests ended (hash, by generation)
--       u       ended, but not known to be published: "<lease>|<nonce>" by id (hash)
--       r       the buckets (hash)                c         why the account is closed (hash)
--       t:<who> the queue of a conversation       h:<who>   who holds a place there, until when
--       m:<who> message ids of the last sends     d:<who>   who wrote last, for as long as it matters
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000

-- What follows is of the call that is decided at the moment; `begin_call` sets all of it.
local P, born_key, ask
-- Which Redis this is, and since when its buckets count as full.
local born_id, guard_from
-- The buckets as far as they were looked at.
local windows
local queue, holders
-- Whether the next one to be granted a slot asks whether the account is open again.
local is_to_ask

-- Of what is compared as a number or a text, workers leave out what there is not.
local ABSENT = {__index = {
  attempts = 0, sent = 0, not_before = 0, deadline = 0, in_doubt_since = 0, forced_since = 0,
  born = '', token = '', batch = '', replays = 0, platform_until = 0, outage_kind = '', outage_since = 0,
}}

local function begin_call(account, born, facts)
  P, born_key, ask = account, born, setmetatable(cjson.decode(facts), ABSENT)
  born_id, guard_from = nil, nil
  windows = {}
  queue, holders = P .. 't:' .. (ask.who or ''), P .. 'h:' .. (ask.who or '')
  is_to_ask = false
end

local decisions = {}

local HOLD_S, NEWCOMER_HOLD_S, BULK_AHEAD_S = 2.0, 0.25, 0.1
local LEASE_S, LOST_S = 30.0, 120.0
local IDLE_S, LATE_S, SOON_S, SHARE_AHEAD_S = 1.0, 1.5, 0.05, 0.005
local PER_PLACE_S, SHORTEST_WAIT_S, NEAR = 0.25, 1.0, 3

local function number(value)
  return value and tonumber(value) or 0
end

local function text(moment)
  return string.format('%.6f', moment)
end

local function expire(key, seconds)
  redis.call('PEXPIRE', key, math.ceil(seconds * 1000))
end

-- Rates ------------------------------------------------------------------------------------------

-- ask.born is what the worker knows from its last slot: another one, or none, means that Redis has
-- come up empty since.
local function look_at_birth()
  if born_id then
    return
  end
  local value = redis.call('GET', born_key)
  if value then
    born_id, guard_from = string.match(value, '^(%S+) (%S+)$')
  else
    born_id, guard_from = text(now), '0'
  end
  local has_forgotten = ask.born ~= '' and (not value or ask.born ~= born_id)
  if has_forgotten and guard_from == '0' then
    guard_from = text(now)
  end
  if not value or has_forgotten then
    redis.call('SET', born_key, born_id .. ' ' .. guard_from, 'EX', 2592000)
  end
end

-- One bucket: arrival, bulk (the same among bulk that waits in hand), schedule and bulk schedule of
-- what is parked. A Redis that came up empty has forgotten slots that workers may still hold: until
-- they are used up, and every burst is paid back, its buckets count as full.
local function window(pace)
  local name = pace.bucket
  if windows[name] then
    return windows[name]
  end
  local v = redis.call('HMGET', P .. 'r', name .. ':a', name .. ':b', name .. ':s', name .. ':x')
  local w = {a = number(v[1]), b = number(v[2]), s = number(v[3]), x = number(v[4])}
  look_at_birth()
  local full_until = tonumber(guard_from) + HOLD_S + pace.burst * pace.interval
  if now < full_until then
    w.a = math.max(w.a, full_until)
  end
  if pace.share then
    w.y = math.max(number(redis.call('HGET', P .. 'r', name .. ':y')), now < full_until and w.a or 0)
  end
  windows[name] = w
  return w
end

local function keep(pace, field, moment, w)
  redis.call('HSET', P .. 'r', pace.bucket .. ':' .. field, text(moment))
  w[field] = moment
  local left = math.max(moment, w.a, w.s, w.x) - now + 60
  if redis.call('PTTL', P .. 'r') < left * 1000 then
    expire(P .. 'r', left + 60)
  end
end

-- When the account's share of the bucket (pace.share, for bulk only) has the next call.
local function share_due(pace)
  local w = window(pace)
  return math.max(now, w.y - (pace.share.burst - 1) * pace.share.interval)
end

-- GCRA with reservation: the slot, and the arrival time before and after; nil if not by `latest`.
local function reserve(pace, latest)
  local w = window(pace)
  -- Not before the answer is there, or on a slow road every slot would be missed.
  local slot = math.max(now + ask.reply_s, w.a - (pace.burst - 1) * pace.interval)
  local due = pace.share and share_due(pace)
  if due then
    -- A slot further off would keep the bucket from interactive requests until then.
    if due > slot + SHARE_AHEAD_S then
      return nil
    end
    slot = math.max(slot, due)
  end
  if slot > latest then
    return nil
  end
  local before, after = w.a, math.max(w.a, slot) + pace.interval
  if due then
    -- Which slot it was taken with, to give it back together with that one.
    redis.call('HSET', P .. 'r', pace.bucket .. ':z', text(after) .. ' ' .. text(w.y))
    keep(pace, 'y', math.max(w.y, slot) + pace.share.interval, w)
  end
  keep(pace, 'a', after, w)
  return slot, before, after
end

-- Only the last reservation can be undone; one that others have followed is lost.
local function give_back(unused)
  local field = unused.bucket .. ':a'
  local v = redis.call('HMGET', P .. 'r', field, unused.bucket .. ':z')
  if number(v[1]) == tonumber(unused.after) then
    redis.call('HSET', P .. 'r', field, unused.before)
    local after, share_before = string.match(v[2] or '', '^(%S+) (%S+)$')
    if after == unused.after then
      redis.call('HSET', P .. 'r', unused.bucket .. ':y', share_before)
    end
    windows[unused.bucket] = nil
  end
end

local function has_backlog(pace)
  local w = window(pace)
  local last = w.s
  if ask.is_bulk then
    last = math.max(last, w.x)
  end
  return last > now + HOLD_S
end

-- A newcomer queues behind those that are parked, unless the bucket lies idle although there is a
-- backlog: those parked are stuck behind the flood's rest in the intake queue then.
local function may_enter(pace)
  if not has_backlog(pace) then
    return true
  end
  local field = pace.bucket .. ':o'
  local w = window(pace)
  if now > math.max(w.a, w.y or 0) + IDLE_S then
    redis.call('HSET', P .. 'r', field, '1')
    return true
  end
  return redis.call('HGET', P .. 'r', field) == '1'
end

local function park(pace, opens_at)
  local w = window(pace)
  local start = math.max(w.s, w.a, now, opens_at)
  if ask.is_bulk then
    start = math.max(start, w.x, w.y or 0)
  end
  local due = start + (pace.share or pace).interval
  keep(pace, ask.is_bulk and 'x' or 's', due, w)
  return due
end

-- Bulk takes real slots only when they are near; until then it stands in a line of its own.
local function bulk_turn(pace, latest)
  local w = window(pace)
  local at = math.max(now, w.b, w.a - BULK_AHEAD_S, pace.share and share_due(pace) or 0)
  if at > latest then
    return nil
  end
  keep(pace, 'b', at + (pace.share or pace).interval, w)
  return at
end

-- Turns ------------------------------------------------------------------------------------------

-- A place is "<moment>|<worker>": due back then, or (with a worker) in hand until then.
local function place_of(id)
  local place = redis.call('HGET', holders, id)
  if not place then
    return 0, ''
  end
  local moment, worker = string.match(place, '^([^|]*)|(.*)$')
  return tonumber(moment), worker
end

local function take_place(id, moment, worker)
  redis.call('HSET', holders, id, text(moment) .. '|' .. worker)
  expire(holders, ask.keep_s)
  expire(queue, ask.keep_s)
end

local function hold_place(id, moment, worker)
  if redis.call('ZSCORE', queue, id) then
    take_place(id, moment, worker)
  end
end

local function call_next()
  local head = redis.call('ZRANGE', queue, 0, 0)[1]
  if head then
    local _, worker = place_of(head)
    if worker ~= '' then
      redis.call('PUBLISH', ask.wakes .. worker, head)
    end
  end
end

local function leave(id)
  local first = redis.call('ZRANGE', queue, 0, 1)
  if #first == 1 and first[1] == id then
    -- Nobody waits: what most conversations look like.
    redis.call('DEL', queue, holders)
    return
  end
  redis.call('ZREM', queue, id)
  redis.call('HDEL', holders, id)
  if first[1] == id then
    call_next()
  end
end

-- Those that were parked and did not come back, or whose worker died, are no longer waited for.
local function head_for(id)
  while true do
    local head = redis.call('ZRANGE', queue, 0, 0)[1]
    if not head or head == id then
      return head
    end
    local moment = place_of(head)
    if moment + LOST_S > now then
      return head
    end
    redis.call('ZREM', queue, head)
    redis.call('HDEL', holders, head)
  end
end

-- The request's place in the queue of its conversation, from 0.
local function line_up(id)
  if not head_for(id) then
    redis.call('ZADD', queue, 1, id)
    take_place(id, now + LEASE_S, ask.worker)
    return 0
  end
  local due, worker = place_of(id)
  if worker == '' and due > 0 then
    ask.is_late = now - due > LATE_S and ask.attempts == 0 and ask.sent == 0
  end
  if not redis.call('ZSCORE', queue, id) then
    local last = redis.call('ZRANGE', queue, -1, -1, 'WITHSCORES')
    redis.call('ZADD', queue, number(last[2]) + 1, id)
  end
  take_place(id, now + LEASE_S, ask.worker)
  return redis.call('ZRANK', queue, id)
end

-- Whether those before it are few and none is parked for long.
local function is_near(rank)
  if rank > NEAR then
    return false
  end
  for _, id in ipairs(redis.call('ZRANGE', queue, 0, rank - 1)) do
    local moment, worker = place_of(id)
    if worker == '' and moment > now + HOLD_S then
      return false
    end
  end
  return true
end

local function look_again_at(rank)
  local moment, worker = place_of(redis.call('ZRANGE', queue, 0, 0)[1])
  local start = now
  if worker == '' then
    start = math.max(now, moment)
  end
  return start + math.max(SHORTEST_WAIT_S, PER_PLACE_S * rank)
end

-- Closures ---------------------------------------------------------------------------------------

-- "open", "closed" with the error, or "cooling" with until and whether one asks just now.
local function closure(id)
  if ask.platform_until > 0 then
    return 'cooling', ask.platform_until, ask.platform_probed
  end
  local v = redis.call('HMGET', P .. 'c', 'until', 'error', 'final', 'token', 'probed', 'kind', 'since',
    'asker', 'cools')
  if not v[1] then
    return 'open'
  end
  local is_final, is_probed = v[3] == '1', v[5] == '1'
  local is_victim = ask.outage_kind ~= '' and v[6] == ask.outage_kind
    and number(v[7]) >= ask.outage_since - 60
  if is_final and (v[4] ~= ask.token or is_victim) then
    local cools = number(v[9])
    if cools <= now then
      redis.call('DEL', P .. 'c')
      return 'open'
    end
    -- A new token mends a refusal, and no throttle.
    redis.call('HSET', P .. 'c', 'final', '0', 'probed', '0', 'until', v[9], 'cools', '0')
    return 'cooling', cools, false
  end
  is_to_ask = now >= tonumber(v[1])
  if is_to_ask or (is_probed and v[8] == id) then
    return 'open'
  end
  if is_final and not is_probed then
    return 'closed', v[2]
  end
  return 'cooling', tonumber(v[1]), is_probed
end

local function begin_to_ask(id)
  if is_to_ask then
    redis.call('HSET', P .. 'c', 'probed', '1', 'asker', id, 'until', text(now + ask.probe_s))
  end
end

local function is_asking(id)
  local v = redis.call('HMGET', P .. 'c', 'probed', 'asker')
  return v[1] == '1' and v[2] == id
end

-- Only the one that asks opens it: others were under way when it closed.
local function reopen(id)
  if is_asking(id) then
    redis.call('DEL', P .. 'c')
  end
end

-- The one that asked got no answer: the next one may ask.
local function give_up_asking(id)
  if is_asking(id) then
    redis.call('HSET', P .. 'c', 'probed', '0', 'until', text(now))
  end
end

-- Ledger -----------------------------------------------------------------------------------------

local function write(record, fingerprint, state, lease, since, progress)
  redis.call('HSET', record, 'fingerprint', fingerprint, 'state', state, 'nonce', ask.nonce,
    'lease', text(lease), 'since', text(since), 'progress', progress,
    'attempts', ask.attempts, 'sent', ask.sent, 'disclosure', ask.disclosure or '')
  expire(record, ask.keep_s)
end

-- The packed event of a request that ended, and in which generation it is kept.
local function ended(id)
  local generation = math.floor(now / ask.generation_s)
  for back = 0, 2 do
    local key = P .. 'e:' .. (generation - back)
    local event = redis.call('HGET', key, id)
    if event then
      return event, key
    end
  end
end

-- Until its outcome is published (the worker then deletes the mark), whoever finds it after its
-- lease publishes it. The hash mostly has a few, so its end is moved on now and then only.
local function mark_unpublished(id)
  redis.call('HSET', P .. 'u', id, text(now + LEASE_S) .. '|' .. ask.nonce)
  if redis.call('PTTL', P .. 'u') < ask.keep_s * 1000 then
    expire(P .. 'u', 1.5 * ask.keep_s)
  end
end

-- Until when its worker sees to it, and which attempt that was; nil once it is published.
local function unpublished(id)
  local mark = redis.call('HGET', P .. 'u', id)
  if mark then
    local lease, nonce = string.match(mark, '^([^|]*)|(.*)$')
    return tonumber(lease), nonce
  end
end

-- An attempt that this worker does not have any more: another one took it over, or ended it.
local function is_lost(record, id)
  local nonce = redis.call('HGET', record, 'nonce')
  if nonce then
    return nonce ~= ask.nonce
  end
  return ended(id) ~= nil
end

-- No attempt is under way: what is worth keeping is only what earlier ones came to.
local function forget(record, fingerprint, progress)
  if ask.attempts > 0 or ask.sent > 0 then
    write(record, fingerprint, 'waiting', 0, 0, progress)
  else
    redis.call('DEL', record)
  end
end

-- Message ids of the conversation's last seconds: a check must not take one of them for another.
-- An attempt takes along those that are known when it begins; it is alone in its conversation.
local RECENT_S = 10

local function remember(message_id)
  if message_id ~= '' then
    local ids = P .. 'm:' .. ask.who
    if redis.call('LPUSH', ids, message_id) > 20 then
      redis.call('LTRIM', ids, 0, 19)
    end
    expire(ids, RECENT_S)
  end
end

-- A part went: accounts that disclose their automation need to know who wrote it.
local function note_author()
  if ask.author then
    redis.call('SET', P .. 'd:' .. ask.who, ask.author .. ' ' .. text(now + ask.lapse_s), 'PX',
      math.ceil(ask.lapse_s * 1000))
  end
end

local function begin(record, fingerprint, progress)
  write(record, fingerprint, 'running', now + LEASE_S, now, progress)
  local ids = redis.call('LRANGE', P .. 'm:' .. ask.who, 0, -1)
  if #ids > 0 then
    redis.call('HSET', record, 'recent', cjson.encode(ids))
  end
end

-- The slot ---------------------------------------------------------------------------------------

local function not_yet(due, why, id)
  if ask.deadline > 0 and due > ask.deadline then
    return {'late', text(now)}
  end
  hold_place(id, due, '')
  return {'not yet', text(now), text(due), why}
end

-- The slot that this request reserved a moment ago, while it is still fresh.
local function own_slot(pace)
  local own = ask.reserved
  if own and own.bucket == pace.bucket and now <= own.slot + SOON_S then
    look_at_birth()
    return {'go', text(now), text(own.slot), pace.bucket, own.before, own.after, born_id}
  end
end

-- A slot that is some way off is waited for without an attempt record: should the worker die
-- meanwhile, nobody has to ask whether the message went.
local function granted(pace, latest)
  local slot, before, after = reserve(pace, latest)
  if slot and slot > now + 2 * (SOON_S + ask.reply_s) and ask.may_wait and ask.is_unrecorded then
    return {'slot soon', text(now), text(slot), pace.bucket, text(before), text(after)}
  end
  if slot then
    return {'go', text(now), text(slot), pace.bucket, text(before), text(after), born_id}
  end
end

-- What has begun waits in hand for its account's share, and in no line.
local function share_soon(pace, latest)
  local due = pace.share and share_due(pace)
  if due and now < due and due <= latest and ask.may_wait then
    return {'slot soon', text(now), text(due)}
  end
end

-- A slot, or something to wait for in hand; nil when it is too far away for that.
local function reserved(pace)
  local latest = now + ((ask.is_newcomer or ask.is_late) and NEWCOMER_HOLD_S or HOLD_S)
  if ask.deadline > 0 then
    latest = math.min(latest, ask.deadline)
  end
  if not ask.is_bulk or ask.has_begun then
    return granted(pace, latest) or share_soon(pace, latest)
  end
  if ask.has_waited or window(pace).b <= now then
    local go = granted(pace, math.min(latest, now + BULK_AHEAD_S))
    if go then
      return go
    end
  end
  local at = bulk_turn(pace, latest)
  if at and ask.may_wait then
    return {'slot soon', text(now), text(at)}
  end
end

local function slot_if_open(pace, id)
  local state, detail, is_probed = closure(id)
  local own = state == 'open' and own_slot(pace)
  if own then
    return own
  end
  if ask.reserved then
    give_back(ask.reserved)
  end
  if state == 'closed' then
    return {'closed', text(now), detail}
  end
  if state == 'cooling' then
    if is_probed and ask.may_wait then
      return {'slot soon', text(now), text(now + ask.probed_s)}
    end
    return not_yet(park(pace, is_probed and now + HOLD_S or detail), 'cooldown', id)
  end
  if not ask.is_newcomer or may_enter(pace) then
    local answer = reserved(pace)
    if answer then
      return answer
    end
  end
  return not_yet(park(pace, 0), 'rate', id)
end

local function slot_for(pace, id)
  local answer = slot_if_open(pace, id)
  if answer[1] == 'go' then
    begin_to_ask(id)
  end
  return answer
end
