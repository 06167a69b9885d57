-- A slot for a call to the Conversations API.
function decisions.read()
  ask.is_newcomer = true
  return granted(ask.paces[1], now + HOLD_S) or {'late', text(now)}
end
