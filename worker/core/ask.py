"""What a request brings along when it asks the gate to be sent."""

from collections.abc import Callable
from typing import NamedTuple

from worker.core.account import Account
from worker.core.delivery import Lane
from worker.core.kind import Bucket
from worker.core.progress import Progress
from worker.core.request import SendRequest


def _nothing() -> None:
    """For who has nothing to give way with."""


class Ask(NamedTuple):
    """One request that wants to go: by which account (None if unknown), how far it has come.

    `deadline` is the last moment (unix seconds) worth sending at; None when there is no end.
    `waits` is to be called before the gate lets it wait in hand: others may go on meanwhile.
    `is_spent`: its last slot was used by a call that was refused, so there is none to give back.
    """

    request: SendRequest
    account: Account | None
    progress: Progress
    lane: Lane
    deadline: float | None = None
    waits: Callable[[], None] = _nothing
    is_spent: bool = False

    @property
    def bucket(self) -> Bucket:
        """The limit that the next part counts against."""
        return self.request.parts[len(self.progress.sent)].bucket
