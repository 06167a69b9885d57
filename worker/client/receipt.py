"""What a producer holds of a request that RabbitMQ has taken."""

import asyncio
from dataclasses import dataclass, field

from worker.client.errors import ClientError, NoOutcome
from worker.client.outcome import Outcome


@dataclass(eq=False, slots=True, weakref_slot=True)
class Waiting:
    """Who waits for the outcome of a request; kept only as long as anybody does."""

    outcome: Outcome | None = None
    has_come: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, outcome: Outcome) -> None:
        """Keep the first outcome; later ones are of repetitions and replays."""
        if self.outcome is None:
            self.outcome = outcome
            self.has_come.set()


@dataclass(frozen=True, slots=True)
class Receipt:
    """RabbitMQ has the request safely. `id` is its idempotency key."""

    id: str
    account_id: str
    waiting: Waiting | None = field(default=None, repr=False, compare=False)

    async def outcome(self, timeout: float | None = None) -> Outcome:  # noqa: ASYNC109  # its own error
        """Wait for how it ended, `timeout` seconds at most.

        Raises NoOutcome when nothing was heard, and ClientError on a client that does not listen.
        """
        if self.waiting is None:
            raise ClientError(
                "this client does not listen for outcomes (Client(…, listens=False)); read them "
                "from a queue of your service's own: client.outcomes(queue)"
            )
        try:
            async with asyncio.timeout(timeout):
                await self.waiting.has_come.wait()
        except TimeoutError:
            raise NoOutcome(
                f"no outcome of {self.id} after {timeout:g} s; it may be waiting for its turn: "
                "`igsend why` tells an operator"
            ) from None
        assert self.waiting.outcome is not None, "it has come"
        return self.waiting.outcome
