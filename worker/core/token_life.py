"""How long tokens live, and when one is to be refreshed. Times are unix seconds.

Meta: long-lived tokens last 60 days; one that is at least 24 hours old and not yet expired can be
refreshed; one that was not is dead, and a person must log in again.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from worker.core.account import Account
from worker.core.secret import Secret

DAY_S = 24 * 3600.0
LIFE_S = 60 * DAY_S
YOUNGEST_S = DAY_S
# Early enough for a person to notice, to ask and to be answered.
WARN_WITHIN_S = 10 * DAY_S
# What the metrics count: tokens that end within so many seconds, those that ended included.
HORIZONS_S = {"0d": 0.0, "1d": DAY_S, "10d": WARN_WITHIN_S}
SOONEST = 5


class Due(StrEnum):
    """Whether a token is to be refreshed now."""

    DUE = "due"
    NOT_DUE = "not_due"
    TOO_YOUNG = "too_young"
    UNKNOWN = "unknown_expiry"
    EXPIRED = "expired"


def due_of(account: Account, *, now: float, within_s: float, is_named: bool) -> Due:
    """Judge a token; one of unknown expiry is due only when somebody names its account."""
    ends = account.expires_at
    if ends is None:
        return Due.DUE if is_named else Due.UNKNOWN
    if ends <= now:
        return Due.EXPIRED
    if ends - now > within_s:
        return Due.NOT_DUE
    # As it lives so long at most, it was issued then at the earliest.
    if ends - LIFE_S > now - YOUNGEST_S:
        return Due.TOO_YOUNG
    return Due.DUE


@dataclass(frozen=True, slots=True)
class Fresh:
    """What a refresh gives; when the new token ends may be unknown."""

    token: Secret
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class Expiring:
    """A token that ends soon, or has ended."""

    expires_at: float
    account_id: str


@dataclass(frozen=True, slots=True)
class Survey:
    """The ends of many tokens: how many by horizon, the soonest few, and all that are near.

    `soonest` may lie beyond the horizons; `near` is what WARN_WITHIN_S reaches, soonest first.
    """

    within: dict[str, int]
    soonest: tuple[Expiring, ...] = ()
    near: tuple[Expiring, ...] = ()


NOTHING_KNOWN = Survey(dict.fromkeys(HORIZONS_S, 0))


def survey_of(accounts: Iterable[Account], *, now: float) -> Survey:
    """Look at the ends that are known."""
    ends = [(each.expires_at, each.id) for each in accounts if each.expires_at is not None]
    near = tuple(Expiring(*end) for end in sorted(e for e in ends if e[0] - now <= WARN_WITHIN_S))
    return Survey(
        {
            name: sum(token.expires_at - now <= horizon_s for token in near)
            for name, horizon_s in HORIZONS_S.items()
        },
        tuple(Expiring(*end) for end in heapq.nsmallest(SOONEST, ends)),
        near,
    )
