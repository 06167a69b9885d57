"""Publishes as a careful producer does: what was not confirmed is published again."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.replicas.loader import Letter
from tests.support.pacing import until
from tests.support.raw_amqp import RawAmqp, RawAmqpError, RawMessage, raw_amqp, short
from worker.rabbit.link import CONNECTION_ERRORS

_AGAIN_AFTER_S = 0.5
_PROPERTIES = {"content_type": short("application/json"), "delivery_mode": b"\x02"}


@dataclass(slots=True)
class Load:
    """`repeated` counts letters that the broker may have twice."""

    amqp_url: str
    repeated: int = 0

    async def publish(self, letters: Sequence[Letter], *, pace: Callable[[], float]) -> None:
        """Publish all, at so many a second as `pace` says each time."""
        done = 0
        while done < len(letters):
            try:
                async with raw_amqp(self.amqp_url) as client:
                    while done < len(letters):
                        due = time.time() + 1 / pace()
                        await _publish(client, letters[done])
                        done += 1
                        await until(due)
            except (RawAmqpError, *CONNECTION_ERRORS):
                # The broker may have the last one all the same.
                self.repeated += 1
                await until(time.time() + _AGAIN_AFTER_S)


async def _publish(client: RawAmqp, letter: Letter) -> None:
    message = RawMessage(letter.body, _PROPERTIES)
    await client.publish(message, exchange=letter.exchange, routing_key=letter.routing_key)
