"""Step 1: bytes to a request, or everything that is wrong with them. Never raises."""

import re
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import orjson

from worker.contract.decode import decode
from worker.contract.validator import RequestValidator
from worker.core.admitted import ID_REUSED
from worker.core.delivery import Delivery
from worker.core.outcome import Dead
from worker.core.problem import Problem
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.core.request import Identity, SendRequest, request_from
from worker.core.request_schema import REQUEST_SCHEMA, problem_of_version
from worker.ports import Clock

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:~-]{1,128}")
_ACCOUNT_ID = re.compile(r"[0-9]{1,32}")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A delivery that is no valid request, and whatever tells its sender which one it was.

    `request_schema` is the version by which it is none; None when it is of an unknown one.
    """

    dead: Dead
    identity: Identity
    request_schema: str | None = REQUEST_SCHEMA


class Reader:
    """Decode, validate, and read the progress that our own headers carry."""

    def __init__(self, validator: RequestValidator, clock: Clock) -> None:
        self._validator = validator
        self._clock = clock

    def __call__(self, delivery: Delivery) -> tuple[SendRequest, Progress] | Unreadable:
        document = decode(delivery.body)
        unknown_version = problem_of_version(delivery.properties.type)
        if unknown_version is not None:
            return _of_unknown_version(unknown_version, delivery, document)
        if isinstance(document, list):
            return _unreadable(document, delivery, {})
        problems = self._validator.problems(document)
        if isinstance(delivery.progress, Problem):
            problems = [*problems, delivery.progress]
        if problems or isinstance(delivery.progress, Problem):
            return _unreadable(problems, delivery, document)
        request = request_from(document, fingerprint=_fingerprint(document))
        if len(delivery.progress.own_sent) >= len(request.parts):
            return _unreadable([_TOO_MANY_PARTS], delivery, document)
        return request, delivery.progress.seen_at(self._clock.now())


_TOO_MANY_PARTS = Problem(
    "", "the message headers say that more parts were sent than the request has"
)


def _fingerprint(document: dict[str, Any]) -> bytes:
    """Equal for equal JSON values, however they were written."""
    return blake2b(orjson.dumps(document, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def _unreadable(
    problems: list[Problem], delivery: Delivery, document: dict[str, Any]
) -> Unreadable:
    first = problems[0]
    where = f"{first.pointer}: " if first.pointer else ""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    dead = Dead(
        Reason.INVALID,
        f"{where}{first.message}{more}",
        delivery.known_progress,
        problems=tuple(problems),
    )
    return Unreadable(
        dead,
        Identity(
            _matching(_REQUEST_ID, document.get("id")),
            _matching(_ACCOUNT_ID, document.get("account_id")),
        ),
    )


def _of_unknown_version(
    problem: Problem, delivery: Delivery, document: dict[str, Any] | list[Problem]
) -> Unreadable:
    """Say nothing else of it: what would be wrong in the first version may be right in its own."""
    known = {} if isinstance(document, list) else document
    return replace(_unreadable([problem], delivery, known), request_schema=None)


def _matching(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def id_reused(request: SendRequest, progress: Progress) -> Unreadable:
    """The id of a request in hand came again with another body."""
    return Unreadable(Dead(Reason.INVALID, ID_REUSED, progress), request.identity)
