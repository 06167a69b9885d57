"""What a producer holds of a request that RabbitMQ has taken."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from worker.client.errors import ClientError, NoOutcome
from worker.client.outcome import Outcome


@dataclass(eq=False, slots=True, weakref_slot=True)
class Waiting:
    """Who waits for the outcome of a request; kept only as long as anybody does.

    `never` is why it will not be heard.
    """

    outcome: Outcome | None = None
    never: ClientError | None = None
    _calls: list[Callable[[], None]] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return self.outcome is not None or self.never is not None

    def take(self, outcome: Outcome) -> None:
        """Keep the first outcome; later ones are of repetitions and replays."""
        if self.outcome is None:
            self.outcome = outcome
            self._tell()

    def give_up(self, why: ClientError) -> None:
        """Have those who wait get this error."""
        if not self.is_over:
            self.never = why
            self._tell()

    def when_over(self, call: Callable[[], None]) -> None:
        """Call once when it is over, at once if it is; `call` must not raise."""
        if self.is_over:
            call()
        else:
            self._calls.append(call)

    async def over(self) -> None:
        """Wait until it is over."""
        told = asyncio.Event()
        self.when_over(told.set)
        try:
            await told.wait()
        finally:
            if told.set in self._calls:
                self._calls.remove(told.set)

    def _tell(self) -> None:
        calls, self._calls = self._calls, []
        for call in calls:
            call()


@dataclass(frozen=True, slots=True)
class Receipt:
    """RabbitMQ has the request safely. `id` is its idempotency key."""

    id: str
    account_id: str
    waiting: Waiting | None = field(default=None, repr=False, compare=False)

    async def outcome(self, timeout: float | None = None) -> Outcome:  # noqa: ASYNC109  # its own error
        """Wait for how it ended, `timeout` seconds at most.

        Raises NoOutcome when nothing was heard, and ClientError on a client that does not listen
        or was closed.
        """
        if self.waiting is None:
            raise ClientError(
                "this client does not listen for outcomes (Client(…, listens=False)); read them "
                "from a queue of your service's own: client.outcomes(queue)"
            )
        try:
            async with asyncio.timeout(timeout):
                await self.waiting.over()
        except TimeoutError:
            raise NoOutcome(
                f"no outcome of {self.id} after {timeout:g} s; it may be waiting for its turn: "
                "`igsend why` tells an operator"
            ) from None
        if self.waiting.outcome is None:
            assert self.waiting.never is not None, "it is over"
            raise self.waiting.never
        return self.waiting.outcome
