"""Who put a dead letter back, in which batch, and how often that was done. Travels in headers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from worker.core.problem import Problem

REPLAY_PREFIX = "x-igsend-replay-"
BATCH = REPLAY_PREFIX + "batch"
COUNT = REPLAY_PREFIX + "count"
OPERATOR = REPLAY_PREFIX + "by"
REPLAY_OF = REPLAY_PREFIX + "of"
DOUBT = REPLAY_PREFIX + "doubt"
_NAMES = (BATCH, COUNT, OPERATOR, REPLAY_OF, DOUBT)

LONGEST_BATCH = 64
LONGEST_OPERATOR = 64
_MOST_REPLAYS = 1_000_000
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:~-]{1,128}")


class Doubt(StrEnum):
    """What the operator wants done about a letter that may have been sent already.

    VERIFY: ask the conversation. A message that is found was sent; otherwise the letter is
    unconfirmed again after two looks, also when the listing does not have it: absence is no proof,
    and of an old attempt least of all. RESEND: send the part in doubt once more; somebody has
    looked, and doubt that comes up after that is new.
    """

    VERIFY = "verify"
    RESEND = "resend"


@dataclass(frozen=True, slots=True)
class Replay:
    """One replay of one letter. `count` is 1 for the first; `operator` has at most 64 bytes.

    `replay_of` is the id of the request that this one repeats with changes.
    """

    batch: str
    count: int
    operator: str
    replay_of: str | None = None
    doubt: Doubt | None = None

    @property
    def run(self) -> tuple[str, int]:
        """What all copies of one replay of a letter have in common."""
        return self.batch, self.count

    @property
    def settled(self) -> "Replay":
        """The same after what was said about doubt has been done."""
        return self if self.doubt is None else replace(self, doubt=None)

    def headers(self) -> dict[str, object]:
        """Give the headers that carry it."""
        headers: dict[str, object | None] = {
            BATCH: self.batch,
            COUNT: self.count,
            OPERATOR: self.operator,
            REPLAY_OF: self.replay_of,
            DOUBT: self.doubt.value if self.doubt else None,
        }
        return {name: value for name, value in headers.items() if value is not None}


def replay_from(headers: Mapping[str, object]) -> Replay | Problem | None:
    """Read the headers of a replay; None when there are none, a Problem when they are not ours."""
    if not any(name in headers for name in _NAMES):
        return None
    batch, count, operator = headers.get(BATCH), headers.get(COUNT), headers.get(OPERATOR)
    replay_of, doubt = headers.get(REPLAY_OF), headers.get(DOUBT)
    if not _is_text(batch, LONGEST_BATCH):
        return _problem(BATCH, f"text of 1 to {LONGEST_BATCH} bytes")
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= _MOST_REPLAYS:
        return _problem(COUNT, "a whole number from 1")
    if not _is_text(operator, LONGEST_OPERATOR):
        return _problem(OPERATOR, f"text of 1 to {LONGEST_OPERATOR} bytes")
    if replay_of is not None and not _is_id(replay_of):
        return _problem(REPLAY_OF, "the id of a request")
    if doubt is not None and doubt not in tuple(Doubt):
        return _problem(DOUBT, " or ".join(Doubt))
    return Replay(
        str(batch),
        count,
        str(operator),
        None if replay_of is None else str(replay_of),
        None if doubt is None else Doubt(str(doubt)),
    )


def _problem(name: str, form: str) -> Problem:
    return Problem(
        "", f"the message header {name} must be {form}; leave out headers named {REPLAY_PREFIX}*"
    )


def _is_text(value: object, longest: int) -> bool:
    return isinstance(value, str) and 0 < len(value.encode("utf-8", "backslashreplace")) <= longest


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _REQUEST_ID.fullmatch(value) is not None
