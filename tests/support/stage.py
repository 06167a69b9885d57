"""A broker, a fake Instagram and a worker between them, and a look at every queue from outside."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel

from tests.support.builders import ACCOUNT_ID, TOKEN, a_document
from tests.support.live_worker import LiveWorker, live_worker
from tests.support.nodes import Broker
from tests.support.raw_amqp import RawMessage, raw_amqp, short, table
from tests.support.waiting import DEADLINE_S, eventually
from worker.contract.schema_files import DEAD_LETTER_HEADERS, OUTCOME, compiled
from worker.core.reason import Reason
from worker.rabbit.declare import declare
from worker.rabbit.names import Names
from worker.rabbit.topology import topology_of
from worker.sandbox.graph_server import RunningSandbox, running_sandbox

ACCOUNT = ACCOUNT_ID
PARTITIONS = 2


@dataclass(slots=True)
class Stage:
    """Everything a test acts on. `outcomes` grows by what `look` finds in the witness queue."""

    broker: Broker
    sandbox: RunningSandbox
    names: Names
    worker: LiveWorker | None = None
    outcomes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def live(self) -> LiveWorker:
        assert self.worker is not None, "this stage has no worker of its own"
        return self.worker

    @property
    def witness(self) -> str:
        """The queue that gets every outcome."""
        return f"{self.names.prefix}.witness"

    def settings(self, **settings: str) -> dict[str, str]:
        """Give the settings of a worker on this stage."""
        return {
            "IGSEND_AMQP_URL": self.broker.amqp_url,
            "IGSEND_PREFIX": self.broker.prefix,
            "IGSEND_PARTITIONS": str(PARTITIONS),
            "IGSEND_GRAPH_URL": self.sandbox.url,
            "IGSEND_HTTP_HOST": "127.0.0.1",
            "IGSEND_HTTP_PORT": "0",
            "IGSEND_RETRY_BASE_S": "0.1",
            "IGSEND_CHECK_AFTER_S": "0.5",
            **{f"IGSEND_{name.upper()}": value for name, value in settings.items()},
        }

    async def declare(self) -> None:
        """Declare the topology, as `igsend topology declare` does."""
        async with await aio_pika.connect(self.broker.amqp_url) as connection:
            assert connection.transport is not None
            await declare(connection.transport.connection, topology_of(self.names))

    async def bind_witness(self) -> None:
        """Have a queue take every outcome from now on."""
        async with self.channel() as channel:
            queue = await channel.declare_queue(self.witness, durable=True)
            await queue.bind(self.names.outcomes, "#")

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[AbstractChannel]:
        """Give a channel of a connection that is not the worker's."""
        async with await aio_pika.connect(self.broker.amqp_url) as connection:
            yield await connection.channel(on_return_raises=True)

    async def publish(self, *messages: RawMessage) -> None:
        """Publish to the interactive lane, one after the other, each confirmed."""
        async with raw_amqp(self.broker.amqp_url) as client:
            for message in messages:
                await client.publish(message, exchange=self.names.requests, routing_key=ACCOUNT)

    async def counts(self) -> dict[str, int]:
        """Count what is ready in each queue that is not empty; queues of the topology only."""
        found = {}
        queues = [*self.names.intake, *(self.names.delay(level) for level in range(6))]
        queues += [self.names.dead_queue(reason) for reason in Reason]
        async with self.channel() as channel:
            for name in queues:
                queue = await channel.declare_queue(name, passive=True)
                if ready := queue.declaration_result.message_count:
                    found[name] = ready
        return found

    async def is_idle(self) -> bool:
        """Whether nothing waits in an intake or delay queue, nor in the worker's hands."""
        if self.worker is not None and await self.worker.in_hand():
            return False
        waiting = await self.counts()
        return not any(name for name in waiting if not name.startswith(self.names.dead))

    async def idle(self, *, sent: int = 0, within_s: float = DEADLINE_S) -> None:
        """Wait until `sent` messages were accepted and everything is settled."""
        await self.sandbox.wait_for_accepted(sent, deadline_s=within_s)
        await eventually(self.is_idle, within_s=within_s)

    async def look(self) -> list[dict[str, Any]]:
        """Take what lies in the witness queue, valid by its schema; give all outcomes so far."""
        for message in await self.take(self.witness):
            document = json.loads(message.body)
            compiled(OUTCOME).validate(document)
            self.outcomes.append(document)
        return self.outcomes

    async def take(self, queue: str) -> list[RawMessage]:
        """Empty a queue."""
        async with raw_amqp(self.broker.amqp_url) as client:
            return await client.drain(queue)

    async def dead(self, reason: Reason) -> list[RawMessage]:
        """Take the dead letters of one reason, whose headers are as documented."""
        letters = await self.take(self.names.dead_queue(reason))
        for letter in letters:
            check_dead_letter_headers(letter)
        return letters

    async def outcome_count(self, count: int) -> list[dict[str, Any]]:
        """Wait for that many outcomes in all."""

        async def are_there() -> bool:
            return len(await self.look()) >= count

        await eventually(are_there)
        return self.outcomes


def check_dead_letter_headers(letter: RawMessage) -> None:
    """Check our headers against their schema, and that they take less than 4 KiB."""
    ours = {k: v for k, v in letter.headers.items() if k.startswith(b"x-igsend-")}
    document = RawMessage(b"", {"headers": table(ours)}).plain_headers
    assert len(document) == len(ours), "each is text, a number or a boolean"
    compiled(DEAD_LETTER_HEADERS).validate(document)
    assert len(table(ours)) < 4096


def a_message(document: Mapping[str, Any] | bytes | None = None, **properties: bytes) -> RawMessage:
    """A request with the properties producers are told to set; others are given encoded.

    Each request without a document of its own is to another person, so none waits for its turn.
    """
    if document is None:
        document = a_text()
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    usual = {"content_type": short("application/json"), "delivery_mode": b"\x02"}
    return RawMessage(body, {**usual, **properties})


def a_text(id: str | None = None, **fields: Any) -> dict[str, Any]:
    """A valid request to a person of its own."""
    number = next(_numbers)
    recipient = {"id": str(10**9 + number)}
    return a_document(id=id or f"request-{number}", **{"recipient": recipient, **fields})


_numbers = count(1)


@asynccontextmanager
async def a_stage(
    broker: Broker,
    *,
    has_worker: bool = True,
    limits: Mapping[str, str] | None = None,
    **settings: str,
) -> AsyncIterator[Stage]:
    """Set everything up; `settings` are names of IGSEND_ settings without that prefix.

    Without a worker, the topology is declared and a test starts what it needs.
    """
    async with running_sandbox(accounts={ACCOUNT: TOKEN}) as sandbox:
        stage = Stage(broker, sandbox, Names(broker.prefix, PARTITIONS))
        if not has_worker:
            await stage.declare()
            await stage.bind_witness()
            yield stage
            return
        async with live_worker(stage.settings(**settings), {ACCOUNT: TOKEN}, limits) as worker:
            stage.worker = worker
            await stage.bind_witness()
            yield stage
