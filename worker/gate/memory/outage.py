"""Tells an outage of the platform from accounts that are each refused for good."""

from worker.core.closure import OUTAGE_WITHIN_S, is_outage

Kind = tuple[int | None, int | None]


class Outage:
    """Remembers who was refused with what, and who sent well, for a minute."""

    def __init__(self) -> None:
        self._refused: dict[Kind, dict[str, float]] = {}
        self._good: dict[str, float] = {}

    def is_one(self, kind: Kind, account_id: str, *, now: float) -> bool:
        """Note a refusal with `kind` (code, subcode); True when all accounts seem to get it."""
        victims = self._refused.setdefault(kind, {})
        victims[account_id] = now
        self._good.pop(account_id, None)
        for times in (victims, self._good):
            _forget_old(times, now)
        return is_outage(len(victims), len(self._good))

    def went_well(self, account_id: str, *, now: float) -> None:
        """Note that a call of the account was accepted."""
        self._good.pop(account_id, None)
        self._good[account_id] = now
        oldest = next(iter(self._good))
        if self._good[oldest] < now - OUTAGE_WITHIN_S:
            del self._good[oldest]

    def is_over(self) -> None:
        """Start to count anew."""
        self._refused.clear()


def _forget_old(times: dict[str, float], now: float) -> None:
    old = [name for name, moment in times.items() if moment < now - OUTAGE_WITHIN_S]
    for name in old:
        del times[name]
