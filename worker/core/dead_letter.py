"""The headers of a dead letter (schemas/dead-letter-headers.v1.json): bounded, no message text."""

import json
from collections.abc import Mapping, Sequence

from worker.core.delivery import Delivery
from worker.core.outcome import Dead
from worker.core.problem import Problem
from worker.core.progress import (
    ATTEMPTS,
    DISCLOSURE,
    FIRST_SEEN,
    MESSAGE_ID,
    PREFIX,
    REASON,
    RECIPIENT_ID,
    SENT_PARTS,
    UNKNOWN_SINCE,
    Progress,
    disclosure_header,
    rfc3339,
)
from worker.core.reason import ADVICE, SAFE_TO_REPLAY
from worker.core.request import Identity

# All headers together must stay below 4 KiB, names included. Bytes, not characters: everything
# but the sent parts, the problems and the replay takes at most 1.8 KiB.
_LONGEST_DETAIL = 300
_LONGEST_NAME = 255
_LONGEST_ID = 128
_LONGEST_DISCLOSURE = 160
_LONGEST_PROBLEMS = 1500
_LONGEST_SENT_PARTS = 2000
_LONGEST_LISTS = 2250


def dead_letter_headers(
    delivery: Delivery, dead: Dead, identity: Identity, *, now: float
) -> dict[str, object]:
    """Say why, when and after what the request was given up, and what to do about it."""
    progress, error = dead.progress, dead.error
    replay = progress.replay.settled.headers() if progress.replay else {}
    disclosure = _disclosure(progress)
    room = _LONGEST_LISTS - _size(replay) - _size(disclosure)
    sent_parts = _sent_parts(progress.own_sent, min(_LONGEST_SENT_PARTS, room))
    left = min(_LONGEST_PROBLEMS, room - len(sent_parts))
    headers: dict[str, object | None] = {
        REASON: dead.reason.value,
        ATTEMPTS: progress.attempts,
        PREFIX + "detail": _cut(dead.detail, _LONGEST_DETAIL),
        PREFIX + "advice": ADVICE[dead.reason],
        PREFIX + "safe-to-replay": dead.reason in SAFE_TO_REPLAY,
        PREFIX + "died-at": rfc3339(now),
        FIRST_SEEN: rfc3339(now if progress.first_seen is None else progress.first_seen),
        PREFIX + "lane": delivery.lane.value,
        PREFIX + "queue": _cut(delivery.queue, _LONGEST_NAME),
        PREFIX + "request-id": identity.id,
        PREFIX + "account-id": identity.account_id,
        MESSAGE_ID: _cut(delivery.properties.message_id, _LONGEST_NAME),
        SENT_PARTS: sent_parts if progress.own_sent else None,
        RECIPIENT_ID: _whole(progress.recipient_id),
        UNKNOWN_SINCE: None if progress.unknown_since is None else rfc3339(progress.unknown_since),
        PREFIX + "code": error.code if error else None,
        PREFIX + "subcode": error.subcode if error else None,
        PREFIX + "http-status": error.http_status if error else None,
        PREFIX + "fbtrace-id": _whole(error.fbtrace_id) if error else None,
        PREFIX + "problems": _bounded(dead.problems, left) if dead.problems else None,
    }
    return (
        {name: value for name, value in headers.items() if value is not None} | disclosure | replay
    )


def _size(headers: Mapping[str, object]) -> int:
    """Give at least the bytes they take: names and values, their lengths and types."""
    return sum(len(name) + len(str(value).encode()) + 8 for name, value in headers.items())


def _disclosure(progress: Progress) -> dict[str, object]:
    if progress.disclosure is None:
        return {}
    ids = [_whole(each) for each in progress.sent[:1]]
    text = disclosure_header(progress.disclosure, ids)
    # Escaped, an id may take several times its length; null says as well that it went.
    is_short = len(text) <= _LONGEST_DISCLOSURE
    return {
        DISCLOSURE: text if is_short else disclosure_header(progress.disclosure, [None] * len(ids))
    }


def _sent_parts(sent: tuple[str | None, ...], longest: int) -> str:
    """Write the ids; null for all of them when they are too long.

    A replay resumes after their number, and the outcome event has every id.
    """
    text = _compact(sent)
    return text if len(text) <= longest else _compact([None] * len(sent))


def _bounded(problems: tuple[Problem, ...], longest: int) -> str:
    """Write as many problems as fit, as a JSON array that always parses."""
    shown: list[dict[str, str]] = []
    text = "[]"
    for problem in problems:
        entry = {"pointer": problem.pointer, "message": problem.message}
        longer = _compact([*shown, entry])
        if len(longer) <= longest:
            shown.append(entry)
            text = longer
    return text


def _compact(values: Sequence[object]) -> str:
    # ASCII only, so that characters are bytes.
    return json.dumps(values, separators=(",", ":"))


def _cut(text: str | None, longest: int) -> str | None:
    """Keep as many whole characters as fit into `longest` bytes."""
    if text is None:
        return None
    return text.encode("utf-8", "backslashreplace")[:longest].decode("utf-8", "ignore")


def _whole(identifier: str | None) -> str | None:
    """Leave out an id that is too long: a part of it would name something else."""
    is_whole = identifier is not None and len(identifier.encode()) <= _LONGEST_ID
    return identifier if is_whole else None
