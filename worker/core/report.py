"""What one pass of a delivery through the worker was, for logs and metrics."""

from dataclasses import dataclass

from worker.core.delivery import Delivery
from worker.core.outcome import Outcome
from worker.core.request import SendRequest


@dataclass(frozen=True, slots=True)
class Report:
    """One pass: what came, how it ended, and where the time went (seconds)."""

    delivery: Delivery
    request: SendRequest | None
    outcome: Outcome
    started_at: float
    finished_at: float
    api_s: float = 0.0
    api_calls: int = 0
