"""Confirmed publishing that waits through lost connections and never gives a message up."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import orjson

from worker.core.dead_letter import dead_letter_headers
from worker.core.delivery import Delivery, Properties
from worker.core.outcome import Dead
from worker.core.outcome_event import OutcomeEvent, Status
from worker.core.progress import Progress
from worker.core.request import Identity
from worker.ports import Clock
from worker.rabbit.confirmed import ConfirmedPublishing, Message, PublishObserver
from worker.rabbit.message import header_for
from worker.rabbit.names import LONGEST_DELAY_S, Names, delay_route
from worker.rabbit.replies import Replies
from worker.rabbit.wire.connection import Wire
from worker.rabbit.wire.properties import Header, header_of


class RabbitPublisher:
    """Implements the Publisher port on its own connection.

    A publish has no timeout of its own (confirmed.py). Heartbeats notice a dead broker; then, and
    only then, a publish is repeated, and the ledger absorbs the twin.
    """

    def __init__(
        self,
        names: Names,
        clock: Clock,
        *,
        outcomes: Literal["all", "failures", "none"],
        observer: PublishObserver,
        trace_headers: Callable[[Delivery], Mapping[str, str]],
    ) -> None:
        self._names = names
        self._trace_headers = trace_headers
        self._clock = clock
        self._outcomes = outcomes
        # No queue is bound for it, and it is not mandatory: the broker drops it.
        probe = Message(names.dead, "probe", b"", header_of(Properties(), {}), is_mandatory=False)
        self._publishing = ConfirmedPublishing(observer, probe=probe)
        self._replies = Replies(self._publishing, observer)

    @property
    def publishing(self) -> ConfirmedPublishing:
        """What it publishes with, for others who publish on the same connection."""
        return self._publishing

    @property
    def trouble(self) -> str | None:
        """What the broker does not take now, in one sentence."""
        return self._publishing.trouble

    async def use(self, wire: Wire) -> None:
        """Publish over this connection until it is gone."""
        await self._publishing.use(wire)

    async def park(self, delivery: Delivery, progress: Progress, *, delay_s: float) -> None:
        # Longer waits than the levels can express come back in between and are parked again.
        whole_s = min(LONGEST_DELAY_S, max(1, round(delay_s)))
        exchange, key = delay_route(self._names, delivery.queue, delay_s=whole_s)
        header = header_for(delivery, progress.headers())
        await self._publishing.publish(Message(exchange, key, delivery.body, header))

    async def bury(self, delivery: Delivery, dead: Dead, identity: Identity) -> None:
        headers = dead_letter_headers(delivery, dead, identity, now=self._clock.now())
        header = header_for(delivery, headers)
        await self._publishing.publish(
            Message(self._names.dead, dead.reason.value, delivery.body, header)
        )

    async def announce(self, event: OutcomeEvent, deliveries: Sequence[Delivery]) -> None:
        body = orjson.dumps(event.document())
        if self._is_wanted(event):
            origin = deliveries[0].properties
            header = self._event_header(origin.correlation_id, deliveries[0])
            # Not mandatory: that nobody listens to outcomes is no fault.
            await self._publishing.publish(
                Message(self._names.outcomes, event.routing_key, body, header, is_mandatory=False)
            )
        addresses = {d.reply_address: d for d in deliveries if d.reply_address is not None}
        for (reply_to, correlation_id), delivery in addresses.items():
            header = self._event_header(correlation_id, delivery)
            await self._replies.reply(reply_to, body, header)

    def _is_wanted(self, event: OutcomeEvent) -> bool:
        if event.replay is not None:
            # Whoever replays waits for it.
            return True
        if self._outcomes == "failures":
            return event.status is not Status.SENT
        return self._outcomes == "all"

    def _event_header(self, correlation_id: str | None, delivery: Delivery) -> Header:
        headers = self._trace_headers(delivery)
        if correlation_id is None and not headers:
            return _PLAIN_EVENT
        return header_of(EVENT._replace(correlation_id=correlation_id), headers)


EVENT = Properties(content_type="application/json", type="igsend.outcome.v1", app_id="igsend")
_PLAIN_EVENT = header_of(EVENT, {})
