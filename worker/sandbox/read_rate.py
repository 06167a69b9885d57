"""Counts the calls of each account to the Conversations API, strictly: in every sliding second."""

from collections import OrderedDict, deque

from worker.sandbox.refusal import GraphRefusal

_WINDOW_S = 1.0
_MOST_ACCOUNTS = 100_000


class ReadRate:
    """Bounded: the accounts that asked longest ago are forgotten first."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def count(self, account_id: str, *, at: float, most: int | None) -> None:
        """Count a call; raises GraphRefusal when the second that ends with it, both its ends
        included, holds more than `most`. A refused call counts as well, as Meta says.
        """
        times = self._times.setdefault(account_id, deque())
        self._times.move_to_end(account_id)
        if len(self._times) > _MOST_ACCOUNTS:
            self._times.popitem(last=False)
        times.append(at)
        while times[0] < at - _WINDOW_S:
            times.popleft()
        if most is not None and len(times) > most:
            raise GraphRefusal(613, detail=f"{len(times)} calls in a second, {most} are allowed")
