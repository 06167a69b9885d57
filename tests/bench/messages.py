"""The requests of the benchmark, and how each contender's framework wants them wrapped."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from pamqp.commands import Basic
from pamqp.common import FieldTable
from pamqp.header import ContentHeader

from tests.replicas.loader import Letter
from tests.replicas.work import body

_BODY_FRAME = b"\x03"
_FRAME_END = b"\xce"


@dataclass(frozen=True, slots=True)
class Envelope(Letter):
    """A message with properties and headers of its own, as task queues need them."""

    properties: Basic.Properties

    def frames(self) -> bytes:
        plain = Letter(self.exchange, self.routing_key, b"").frames()
        method = plain[: 8 + int.from_bytes(plain[3:7])]
        header = ContentHeader(0, len(self.body), self.properties).marshal()
        size = len(header).to_bytes(4)
        content = len(self.body).to_bytes(4)
        return b"".join(
            (
                method,
                b"\x02\x00\x01" + size + header + _FRAME_END,
                _BODY_FRAME + b"\x00\x01" + content + self.body + _FRAME_END,
            )
        )


def bodies(accounts: list[str], count: int, *, run: str) -> Iterator[bytes]:
    """Write `count` texts over all accounts in turn, each to another person.

    `run` is letters: with the number it is the id of the request and the mark in its text.
    """
    for number in range(1, count + 1):
        yield body("text", accounts[number % len(accounts)], f"{run}-{number}", to=number)


def to_igsend(queue: str, request: bytes) -> Letter:
    """Publish as producers do: the exchange spreads accounts over the partitions."""
    return Letter(queue, str(json.loads(request)["account_id"]), request)


def to_queue(queue: str, request: bytes) -> Letter:
    """Put the bare request into a queue."""
    return Letter("", queue, request)


def _identity(request: bytes) -> str:
    return str(json.loads(request)["id"])


def to_taskiq(queue: str, request: bytes) -> Letter:
    """Write what `task.kiq(document)` sends."""
    task_id = _identity(request)
    headers: FieldTable = {"task_id": task_id, "task_name": "send"}
    content = (
        b'{"task_id":"%s","task_name":"send","labels":{},"labels_types":{},"args":[%s],"kwargs":{}}'
        % (task_id.encode(), request)
    )
    return Envelope("", queue, content, _properties(headers, task_id))


def to_celery(queue: str, request: bytes) -> Letter:
    """Write what `task.apply_async([document])` sends: version 2 of Celery's messages."""
    task_id = _identity(request)
    headers: FieldTable = {
        "lang": "py", "task": "send", "id": task_id, "root_id": task_id, "retries": 0,
        "timelimit": [None, None], "argsrepr": "", "kwargsrepr": "", "origin": "bench",
        "ignore_result": True,
    }  # fmt: skip
    content = b'[[%s],{},{"callbacks":null,"errbacks":null,"chain":null,"chord":null}]' % request
    return Envelope("", queue, content, _properties(headers, task_id))


def to_dramatiq(queue: str, request: bytes) -> Letter:
    """Write what `actor.send(document)` sends."""
    task_id = _identity(request)
    content = (
        b'{"queue_name":"%s","actor_name":"send","args":[%s],"kwargs":{},"options":{},'
        b'"message_id":"%s","message_timestamp":1700000000000}'
        % (queue.encode(), request, task_id.encode())
    )
    return Envelope("", queue, content, _properties({}, task_id))


def _properties(headers: FieldTable, task_id: str) -> Basic.Properties:
    return Basic.Properties(
        content_type="application/json",
        content_encoding="utf-8",
        headers=headers,
        delivery_mode=2,
        correlation_id=task_id,
        message_id=task_id,
    )
