"""What the gate answers when a request asks to be sent."""

from dataclasses import dataclass
from typing import NamedTuple

from worker.core.outcome import Wait
from worker.core.outcome_event import OutcomeEvent
from worker.core.progress import Progress
from worker.core.send_result import GraphError


class Go(NamedTuple):
    """Send the next part at `slot` (unix seconds), from `progress` on.

    The next part may be a disclosure: `progress` tells whether one goes first.
    """

    slot: float
    progress: Progress


class NotYet(NamedTuple):
    """Look again at `until` (unix seconds)."""

    until: float
    why: Wait


@dataclass(frozen=True, slots=True)
class Concluded:
    """The same request was concluded before, with this event.

    Unless `is_published`, the worker that concluded it died before it could tell anybody.
    """

    event: OutcomeEvent
    is_published: bool = True


@dataclass(frozen=True, slots=True)
class Reused:
    """The id belongs to another body."""


@dataclass(frozen=True, slots=True)
class Doubtful:
    """An earlier attempt left no result: the message may have been sent.

    `progress.unknown_since` is when that attempt began. `known_ids` are message ids of the
    conversation that belong to other sends.
    """

    progress: Progress
    known_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Closed:
    """The account may not be called until somebody mends it."""

    error: GraphError


@dataclass(frozen=True, slots=True)
class TooLate:
    """It cannot be sent before its deadline."""


Admission = Go | NotYet | Concluded | Reused | Doubtful | Closed | TooLate
