"""How long an account, or the app, stays closed, and when a refusal is the platform's fault.

The rules both gates follow; each keeps the state in its own way.
"""

# Why nobody may call an account; "app" is for all of them.
CLOSED = ("refused", "throttled", "app")

# A throttle without the API's own estimate: 5 s, doubling up to 5 min while it goes on. Calls
# made while throttled count too and lengthen the block (Meta, "Rate Limits").
FIRST_COOLDOWN_S = 5.0
LONGEST_COOLDOWN_S = 300.0
# "Retry-After: 0" comes with a refusal all the same.
SHORTEST_COOLDOWN_S = 1.0
# A refused account opens when its token changes; one request asks again after this long, for
# what is mended without a new token (a permission, a setting in the app).
ASK_AGAIN_S = 900.0
# How long the one request that asks may take before another one does.
PROBE_S = 130.0
# How soon those that wait for the answer of the one that asks look again.
PROBED_S = 0.25
# The same refusal on so many accounts within a minute, and on more than went well meanwhile, is
# an outage of the API: it must not empty the queues into the dead letters.
OUTAGE_ACCOUNTS = 5
OUTAGE_WITHIN_S = 60.0
# How long a conversation rests that the API finds too busy, without an estimate of its own.
CONVERSATION_COOLDOWN_S = 60.0


def cooldown_s(asked_s: float | None, strikes: int) -> float:
    """Say how long to stay closed after `strikes` throttles in a row (1 for the first)."""
    if asked_s is not None:
        return max(SHORTEST_COOLDOWN_S, asked_s)
    return min(LONGEST_COOLDOWN_S, FIRST_COOLDOWN_S * 2.0 ** min(strikes - 1, 30))


def is_outage(refused_accounts: int, good_accounts: int) -> bool:
    """Whether a refusal of `refused_accounts` accounts within OUTAGE_WITHIN_S is the platform's.

    `good_accounts` counts the accounts that sent well in the same time.
    """
    return refused_accounts >= OUTAGE_ACCOUNTS and refused_accounts > good_accounts
