"""Which accounts were closed, as this worker has heard: its last look before a call."""

from collections.abc import Callable

from worker.core.closure import CLOSED


class News:
    """Until when (unix seconds), and why, by account."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._closed: dict[str, tuple[float, str]] = {}

    def closed(self, account_id: str, *, until: float, why: str) -> None:
        """Note that an account is closed; `why` is one of CLOSED."""
        self._closed[account_id] = (until, why)

    def opened(self, account_id: str) -> None:
        self._closed.pop(account_id, None)

    def is_closed(self, account_id: str) -> bool:
        known = self._closed.get(account_id)
        if known is not None and known[0] <= self._now():
            del self._closed[account_id]
            known = None
        return known is not None

    def counted(self) -> dict[str, int]:
        """Count what is closed now, by why."""
        counts = dict.fromkeys(CLOSED, 0)
        for account_id, (_, why) in list(self._closed.items()):
            counts[why] += self.is_closed(account_id)
        return counts
