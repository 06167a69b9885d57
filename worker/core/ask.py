"""What a request brings along when it asks the gate to be sent."""

from typing import NamedTuple

from worker.core.account import Account
from worker.core.delivery import Lane
from worker.core.kind import Bucket
from worker.core.progress import Progress
from worker.core.request import SendRequest


class Ask(NamedTuple):
    """One request that wants to go: by which account (None if unknown), how far it has come.

    `deadline` is the last moment (unix seconds) worth sending at; None when there is no end.
    """

    request: SendRequest
    account: Account | None
    progress: Progress
    lane: Lane
    deadline: float | None = None

    @property
    def bucket(self) -> Bucket:
        """The limit that the next part counts against."""
        return self.request.parts[len(self.progress.sent)].bucket
