"""Which requests are open and how the others ended; bounded in time and number."""

from collections import OrderedDict
from dataclasses import dataclass

from worker.core.outcome_event import OutcomeEvent
from worker.core.progress import Progress
from worker.core.request import AccountId, RequestId, SendRequest

Key = tuple[AccountId, RequestId]


@dataclass(slots=True)
class Open:
    """A request that is being tried, or waits to be tried again.

    `started_at` is when the attempt that runs was granted; None while the request waits.
    """

    fingerprint: bytes
    progress: Progress
    started_at: float | None = None
    parked_at: float = 0.0

    @property
    def is_running(self) -> bool:
        return self.started_at is not None


@dataclass(frozen=True, slots=True)
class Ended:
    """A request that ended; the event lacks the metadata, which a duplicate brings along."""

    fingerprint: bytes
    event: OutcomeEvent


class Ledger:
    """Remembers at most `most` ended requests, each for `keep_s` seconds."""

    def __init__(self, *, keep_s: float, most: int) -> None:
        self._keep_s = keep_s
        self._most = most
        self._open: dict[Key, Open] = {}
        self._ended: OrderedDict[Key, Ended] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open) + len(self._ended)

    def find(self, request: SendRequest, *, now: float) -> Open | Ended | None:
        self._forget_old(now)
        return self._open.get(request.key) or self._ended.get(request.key)

    def by_id(self, key: Key) -> Open | Ended | None:
        """Look a request up without its body."""
        return self._open.get(key) or self._ended.get(key)

    def begin(self, request: SendRequest, progress: Progress, *, now: float) -> None:
        """Write the attempt record."""
        self._ended.pop(request.key, None)
        self._open[request.key] = Open(request.fingerprint, progress, started_at=now)

    def wait(self, request: SendRequest, progress: Progress, *, now: float) -> None:
        """Keep what is known while the request is parked; nothing if it was never tried."""
        self._open.pop(request.key, None)
        if progress.attempts or progress.sent or progress.unknown_since:
            self._open[request.key] = Open(request.fingerprint, progress, parked_at=now)

    def reopen(self, request: SendRequest) -> None:
        """Forget how it ended: it runs again."""
        self._ended.pop(request.key, None)

    def end(self, request: SendRequest, event: OutcomeEvent) -> None:
        self._open.pop(request.key, None)
        self._ended[request.key] = Ended(request.fingerprint, event._replace(metadata=None))
        self._ended.move_to_end(request.key)
        while len(self._ended) > self._most:
            self._ended.popitem(last=False)

    def _forget_old(self, now: float) -> None:
        """Drop what is past its time, oldest first; a parked request may never come back."""
        oldest = now - self._keep_s
        while self._ended:
            key = next(iter(self._ended))
            if self._ended[key].event.finished_at > oldest:
                break
            del self._ended[key]
        while self._open:
            key = next(iter(self._open))
            if self._open[key].is_running or self._open[key].parked_at > oldest:
                break
            del self._open[key]
