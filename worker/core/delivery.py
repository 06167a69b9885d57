"""What the broker handed over: bytes, the producer's properties, and our own progress."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from worker.core.problem import Problem
from worker.core.progress import Progress


class Lane(StrEnum):
    """Which intake a request came through; bulk never delays interactive."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


class Properties(NamedTuple):
    """The producer's AMQP properties, kept for republishing. Nothing here is trusted.

    `headers` has neither the broker's headers nor ours. `timestamp` is unix seconds as sent.
    """

    content_type: str | None = None
    content_encoding: str | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    message_id: str | None = None
    type: str | None = None
    app_id: str | None = None
    priority: int | None = None
    timestamp: int | None = None
    headers: Mapping[str, object] = MappingProxyType({})


class Delivery(NamedTuple):
    """One delivery. `receipt` is the broker adapter's own handle for settling it.

    `routing_key` is what the producer published with, its account's id if all is well.
    `is_diverted`: published to the interactive lane, and taken to bulk by the broker.
    """

    body: bytes
    queue: str
    lane: Lane
    redelivered: bool
    properties: Properties
    progress: Progress | Problem
    receipt: object = None
    routing_key: str = ""
    is_diverted: bool = False

    @property
    def known_progress(self) -> Progress:
        """The progress, or none when its headers are unreadable."""
        return self.progress if isinstance(self.progress, Progress) else Progress()

    @property
    def reply_address(self) -> tuple[str, str | None] | None:
        """Where the producer wants the outcome too: (reply_to, correlation_id)."""
        to = self.properties.reply_to
        return (to, self.properties.correlation_id) if to else None
