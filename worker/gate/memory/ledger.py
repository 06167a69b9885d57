"""Which requests are open and how the others ended; bounded in time and number."""

from collections import OrderedDict
from dataclasses import dataclass, replace

from worker.core.outcome_event import OutcomeEvent
from worker.core.progress import Progress
from worker.core.request import AccountId, RequestId, SendRequest

Key = tuple[AccountId, RequestId]


@dataclass(slots=True)
class Open:
    """A request that is being tried, or waits to be tried again."""

    fingerprint: bytes
    progress: Progress
    is_running: bool
    parked_at: float = 0.0


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

    def begin(self, request: SendRequest, progress: Progress) -> None:
        """Write the attempt record."""
        self._ended.pop(request.key, None)
        self._open[request.key] = Open(request.fingerprint, progress, is_running=True)

    def advance(self, request: SendRequest, progress: Progress) -> None:
        """Record that one more part went."""
        self._open[request.key].progress = progress

    def wait(self, request: SendRequest, progress: Progress, *, now: float) -> None:
        """Keep what is known while the request is parked; nothing if it was never tried."""
        self._open.pop(request.key, None)
        if progress.attempts or progress.sent:
            self._open[request.key] = Open(
                request.fingerprint, progress, is_running=False, parked_at=now
            )

    def reopen(self, request: SendRequest) -> None:
        """Forget how it ended: it runs again."""
        self._ended.pop(request.key, None)

    def end(self, request: SendRequest, event: OutcomeEvent) -> None:
        self._open.pop(request.key, None)
        self._ended[request.key] = Ended(request.fingerprint, replace(event, metadata=None))
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
