-- Put a request into the schedule of what waits until ask.opens_at.
function decisions.delay()
  return {'not yet', text(now), text(park(ask.paces[ask.sent + 1], ask.opens_at)), 'cooldown'}
end
