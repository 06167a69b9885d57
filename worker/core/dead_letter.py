"""The headers of a dead letter (schemas/dead-letter-headers.v1.json): bounded, no message text."""

import json

from worker.core.delivery import Delivery
from worker.core.outcome import Dead
from worker.core.problem import Problem
from worker.core.progress import ATTEMPTS, FIRST_SEEN, MESSAGE_ID, PREFIX, REASON, rfc3339
from worker.core.reason import ADVICE, SAFE_TO_REPLAY
from worker.core.request import Identity

# All headers together must stay below 4 KiB; the problems are the only part that can grow.
_LONGEST_PROBLEMS = 1500
_LONGEST_DETAIL = 300


def dead_letter_headers(
    delivery: Delivery, dead: Dead, identity: Identity, *, now: float
) -> dict[str, object]:
    """Say why, when and after what the request was given up, and what to do about it."""
    error = dead.error
    headers: dict[str, object | None] = {
        **dead.progress.headers(),
        REASON: dead.reason.value,
        ATTEMPTS: dead.progress.attempts,
        PREFIX + "detail": dead.detail[:_LONGEST_DETAIL],
        PREFIX + "advice": ADVICE[dead.reason],
        PREFIX + "safe-to-replay": dead.reason in SAFE_TO_REPLAY,
        PREFIX + "died-at": rfc3339(now),
        FIRST_SEEN: rfc3339(dead.progress.first_seen or now),
        PREFIX + "lane": delivery.lane.value,
        PREFIX + "queue": delivery.queue,
        PREFIX + "request-id": identity.id,
        PREFIX + "account-id": identity.account_id,
        MESSAGE_ID: delivery.properties.message_id,
        PREFIX + "code": error.code if error else None,
        PREFIX + "subcode": error.subcode if error else None,
        PREFIX + "http-status": error.http_status if error else None,
        PREFIX + "fbtrace-id": error.fbtrace_id if error else None,
        PREFIX + "problems": _bounded(dead.problems) if dead.problems else None,
    }
    return {name: value for name, value in headers.items() if value is not None}


def _bounded(problems: tuple[Problem, ...]) -> str:
    """Write as many problems as fit, as a JSON array that always parses."""
    shown: list[dict[str, str]] = []
    text = "[]"
    for problem in problems:
        shown.append({"pointer": problem.pointer, "message": problem.message})
        longer = json.dumps(shown, separators=(",", ":"))
        if len(longer) > _LONGEST_PROBLEMS:
            return text
        text = longer
    return text
