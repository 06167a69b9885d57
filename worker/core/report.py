"""What one pass of a delivery through the worker was, for logs and metrics."""

from typing import NamedTuple

from worker.core.delivery import Delivery
from worker.core.outcome import Outcome
from worker.core.request import Identity, SendRequest
from worker.core.request_schema import REQUEST_SCHEMA


class Report(NamedTuple):
    """One pass: what came, how it ended, and where the time went (seconds).

    `request` is None, and `identity` may be partly empty, when the body was no valid request.
    `request_schema` is the version it was read by; None when it is of an unknown one.
    """

    delivery: Delivery
    request: SendRequest | None
    outcome: Outcome
    started_at: float
    finished_at: float
    api_s: float = 0.0
    api_calls: int = 0
    identity: Identity = Identity()
    request_schema: str | None = REQUEST_SCHEMA
