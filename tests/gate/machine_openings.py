"""Whether people are told that an automation talks: whenever it begins to, and not again."""

from dataclasses import dataclass, field

from worker.core.account import Account, Disclosure
from worker.core.disclosure import lapse_of
from worker.core.progress import Progress
from worker.core.request import Author, SendRequest

# The number of the disclosure among the parts of a request; the producer's begin with 0.
OPENING = -1
LAPSE = Disclosure("You are talking to our bot.", after_s=30.0)
# From one script to the next: the gate notes and decides by its own clock.
_SLACK_S = 5.0


@dataclass(slots=True)
class Spoken:
    """The last message that the API took; `is_heard` unless the gate may not have learnt of it."""

    request: SendRequest
    at: float
    is_heard: bool = False


@dataclass(slots=True)
class Openings:
    """Looks at every message that the API takes."""

    faults: list[str]
    _last: dict[tuple[str, str], Spoken] = field(default_factory=dict)
    _decided_at: dict[tuple[str, str], float] = field(default_factory=dict)

    def decided(self, request: SendRequest, *, now: float) -> None:
        """The gate has said whether it is told. The call may be long in coming: for a place."""
        self._decided_at[request.key] = now

    def taken(self, request: SendRequest, account: Account, number: int, *, now: float) -> None:
        lapse_s, name = lapse_of(request, account), f"{request.key}/{number}"
        if lapse_s is None:
            if number == OPENING:
                self.faults.append(f"{name} is a disclosure that nobody wants")
            return
        last = self._last.get(request.conversation)
        self._last[request.conversation] = Spoken(request, now)
        since_s = None if last is None else self._decided_at[request.key] - last.at
        is_bot = last is not None and last.request.author is Author.AUTOMATION
        if number == OPENING:
            is_early = since_s is not None and since_s < lapse_s - _SLACK_S
            if last is not None and last.is_heard and is_bot and is_early:
                self.faults.append(f"{name} is told again after {since_s} s")
            if request.author is Author.HUMAN:
                self.faults.append(f"{name} is told for a person")
        elif number == 0 and request.author is Author.AUTOMATION:
            # Its own disclosure holds however long the part behind it has to wait.
            is_own = last is not None and last.request.key == request.key
            is_late = since_s is None or since_s > lapse_s + _SLACK_S
            if (is_late and not is_own) or not is_bot:
                self.faults.append(f"{name} is not told that an automation talks ({last})")

    def heard(self, request: SendRequest) -> None:
        """The worker got the answer."""
        if request.conversation in self._last:
            self._last[request.conversation].is_heard = True

    def worker_died(self) -> None:
        """Perhaps before it could tell the gate."""
        for spoken in self._last.values():
            spoken.is_heard = False


def number_of_next(request: SendRequest, progress: Progress) -> int:
    """Number the part that comes next; `request` has its disclosure in front, if it has one."""
    return len(progress.sent) - (request.disclosure is not None)
