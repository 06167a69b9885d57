-- Record the parts that went, or that a slot was missed, and ask for the next slot.
-- ask.unused is the slot that was missed, ask.message_id what the API called the part that went.
function decisions.advance(id, fingerprint, progress)
  local record = P .. 'o:' .. id
  if ask.unused then
    give_back(ask.unused)
  end
  if is_lost(record, id) then
    -- This worker was away for longer than its lease, and another one has taken over.
    return {'not yet', text(now), text(now + HOLD_S), 'elsewhere'}
  end
  if ask.went_well then
    remember(ask.message_id)
    note_author()
    reopen(id)
  end
  begin(record, fingerprint, progress)
  line_up(id)
  ask.is_newcomer, ask.has_begun = false, true
  return slot_for(ask.paces[ask.sent + 1], id)
end
