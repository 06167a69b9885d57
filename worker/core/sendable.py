"""What more workers could send now: the rules behind `igsend_sendable_backlog`.

What the limit of an account, its closure or the order of a conversation holds back is none of it.
How much of what nobody has read yet could go is estimated by what was read last.
"""

from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import NamedTuple

from worker.core.delivery import Lane
from worker.core.outcome import Dead, Duplicate, Outcome, Postponed, Wait
from worker.core.request import SendRequest

# What is put off for no longer than this is not held back: it goes while one scales.
SOON_S = 5.0
# A limit may be raised, a backlog discarded: who is held back for longer is looked at again.
HELD_AT_MOST_S = 30.0
# More readings than this are thinned out: the age gets coarser the longer the queue is.
MOST_READINGS = 60

# What holds requests back: a limit of an account in a lane, or a conversation.
Line = tuple[str, ...]


class Standing(Enum):
    """What a request in hand is doing.

    CALLING: its call is under way. NEXT: it has a slot, and waits for a place of this process.
    UNASKED: it waits for such a place, to ask whether it may go. HELD: it waits for something else,
    its slot or its turn. DONE: its call was answered, the rest is a matter of the broker.
    """

    CALLING = auto()
    NEXT = auto()
    UNASKED = auto()
    HELD = auto()
    DONE = auto()


class InHand(NamedTuple):
    """One request in hand, from which queue, and since when (unix seconds)."""

    queue: str
    standing: Standing
    since: float
    request: SendRequest
    lane: Lane
    parts_sent: int = 0

    @property
    def lines(self) -> tuple[Line, Line]:
        """Those it stands in: of its limit, and of its conversation."""
        limit = limit_of(self.request, self.lane, parts_sent=self.parts_sent)
        return limit, self.request.conversation


class Depth(NamedTuple):
    """What a queue had ready, and how many consumers, this worker's own included."""

    ready: int
    consumers: int


class Reading(NamedTuple):
    """Of what a queue had ready at a moment (unix seconds), at most `left` are there still."""

    at: float
    left: float


def limit_of(request: SendRequest, lane: Lane, *, parts_sent: int = 0) -> Line:
    """Name the line of those that wait for the same limit: by account, lane and bucket."""
    bucket = request.parts[min(parts_sent, len(request.parts) - 1)].bucket
    return request.account_id, lane, bucket


def line_of(outcome: Outcome, request: SendRequest, lane: Lane) -> Line:
    """Name the line in which this pass has put the request, or that it went from."""
    match outcome:
        case Postponed(why=Wait.TURN):
            return request.conversation
        case Postponed():
            return limit_of(request, lane, parts_sent=len(outcome.progress.sent))
        case _:
            return limit_of(request, lane)


def held_until(outcome: Outcome, *, now: float) -> float | None:
    """Until when others in the same line as this request need not be tried; None if they may."""
    if not isinstance(outcome, Postponed) or outcome.why not in {Wait.RATE, Wait.TURN}:
        return None
    return min(outcome.until, now + HELD_AT_MOST_S) if outcome.until > now + SOON_S else None


def could_go(outcome: Outcome, *, now: float, was_called: bool) -> bool:
    """Whether this pass says that the request could go, but for those in its line."""
    match outcome:
        case Postponed():
            return outcome.why in {Wait.RATE, Wait.TURN} and outcome.until <= now + SOON_S
        case Dead() | Duplicate():
            return was_called
        case _:
            return True


def head_read(readings: Sequence[Reading], *, now: float, ready: int, read: float) -> list[Reading]:
    """Follow a queue: `read` messages were taken off its head since the last reading.

    The first reading that remains is from when the message that is now at the head was there
    already. An estimate: others read too, and it is corrected by what is ready now.
    """
    left = [Reading(at, min(left - read, ready)) for at, left in readings if left > read]
    if not ready:
        return []
    if len(left) >= MOST_READINGS:
        left = [*left[:1], *left[2::2]]
    return [*left, Reading(now, ready)]


def oldest(moments: Iterable[float], *, now: float) -> float:
    """How long ago the first of the moments was; 0 when there is none."""
    return max(0.0, now - min(moments, default=now))
