"""`igsend send`: publish requests with confirms, and with --wait show how each ended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from time import time
from typing import Annotated, Any

import aio_pika
import orjson
import typer
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError

from worker.cli.broker import connection_to
from worker.cli.failure import CommandFailed, config_from_environment
from worker.cli.lines import Line, read_requests
from worker.config import Config
from worker.contract.decode import decode
from worker.contract.validator import RequestValidator
from worker.core.ending import event_of
from worker.core.outcome import Dead
from worker.core.problem import Problem
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.core.request import Identity
from worker.rabbit.names import Names

CONFIRM_TIMEOUT_S = 30.0
# Unconfirmed publishes at a time.
WINDOW = 200


class LaneName(StrEnum):
    """Which exchange: replies that a person waits for, or campaigns."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class Request:
    """A valid request, ready to publish."""

    id: str
    account_id: str
    body: bytes


def send(
    source: Annotated[
        str, typer.Argument(metavar="FILE|-", help="JSON, a JSON array, or JSON lines.")
    ],
    lane: Annotated[LaneName, typer.Option(help="bulk for campaigns.")] = LaneName.INTERACTIVE,
    wait: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Wait this long for outcomes.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One outcome per line.")] = False,
) -> None:
    """Publish send-requests; exit 1 when one is invalid or, with --wait, not sent."""
    config = config_from_environment()
    requests, refused = _sorted_out(list(read_requests(source)))
    for outcome in refused:
        _print(outcome, json=json)
    bad = len(refused) + asyncio.run(_send(config, requests, lane=lane, wait_s=wait, json=json))
    if bad:
        raise CommandFailed(f"{bad} of {len(requests) + len(refused)} requests were not sent")
    if wait is None and not json:
        typer.echo(f"published {len(requests)} requests")


def _sorted_out(lines: list[Line]) -> tuple[list[Request], list[dict[str, Any]]]:
    """Tell valid requests from invalid ones, whose outcome is certain without a broker."""
    validator = RequestValidator()
    requests, refused = [], []
    for line in lines:
        document = decode(line.body)
        problems = document if isinstance(document, list) else validator.problems(document)
        if problems or isinstance(document, list):
            refused.append(_invalid(line, document, problems))
        else:
            requests.append(Request(document["id"], document["account_id"], line.body))
    return requests, refused


def _invalid(line: Line, document: object, problems: list[Problem]) -> dict[str, Any]:
    given = document if isinstance(document, dict) else {}
    identity = Identity(*(v if isinstance(v, str) else None for v in map(given.get, _KEYS)))
    detail = f"line {line.number} is not a valid request; it was not published"
    dead = Dead(Reason.INVALID, detail, Progress(), problems=tuple(problems))
    return event_of(dead, identity, finished_at=time()).document()


_KEYS = ("id", "account_id")


async def _send(
    config: Config, requests: list[Request], *, lane: LaneName, wait_s: float | None, json: bool
) -> int:
    """Publish all and give how many did not end as `sent` (or, without waiting, as published)."""
    names = Names(config.prefix, config.partitions)
    exchange = names.bulk if lane is LaneName.BULK else names.requests
    async with connection_to(config) as connection:
        channel = await connection.channel(on_return_raises=True)
        if wait_s is None:
            await _publish(channel, exchange, requests)
            return 0
        try:
            async with _outcomes(channel, names, requests) as arrived:
                await _publish(channel, exchange, requests)
                return await _wait(arrived, requests, wait_s=wait_s, json=json)
        except ChannelNotFoundEntity:
            raise _not_declared(names.outcomes) from None


async def _publish(channel: AbstractChannel, exchange: str, requests: list[Request]) -> None:
    target = await channel.get_exchange(exchange, ensure=False)
    window = asyncio.Semaphore(WINDOW)

    async def publish(request: Request) -> None:
        async with window:
            await target.publish(
                aio_pika.Message(
                    request.body,
                    content_type="application/json",
                    delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                ),
                routing_key=request.account_id,
                mandatory=True,
                timeout=CONFIRM_TIMEOUT_S,
            )

    try:
        async with asyncio.TaskGroup() as group:
            for request in requests:
                group.create_task(publish(request))
    except* (ChannelNotFoundEntity, DeliveryError):
        raise _not_declared(exchange) from None
    except* (TimeoutError, aio_pika.exceptions.AMQPError) as errors:
        raise CommandFailed(
            f"not every request was confirmed ({errors.exceptions[0]!r}); send the same file "
            "again: requests that were taken are not sent twice"
        ) from None


def _not_declared(exchange: str) -> CommandFailed:
    return CommandFailed(
        f"the broker has no exchange {exchange}, or no queue behind it; start a worker or run "
        "`igsend topology declare`"
    )


@asynccontextmanager
async def _outcomes(
    channel: AbstractChannel, names: Names, requests: list[Request]
) -> AsyncIterator["asyncio.Queue[dict[str, Any]]"]:
    """Receive the outcome events of these accounts on a queue of our own."""
    arrived: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    queue: AbstractQueue = await channel.declare_queue(exclusive=True, auto_delete=True)
    for account_id in sorted({request.account_id for request in requests}):
        await queue.bind(names.outcomes, routing_key=f"*.{account_id}")

    async def take(message: AbstractIncomingMessage) -> None:
        arrived.put_nowait(orjson.loads(message.body))

    tag = await queue.consume(take, no_ack=True)
    try:
        yield arrived
    finally:
        await queue.cancel(tag)


async def _wait(
    arrived: "asyncio.Queue[dict[str, Any]]",
    requests: list[Request],
    *,
    wait_s: float,
    json: bool,
) -> int:
    waiting = {(request.account_id, request.id) for request in requests}
    not_sent = 0
    try:
        async with asyncio.timeout(wait_s):
            while waiting:
                outcome = await arrived.get()
                key = (outcome["account_id"], outcome["id"])
                if key in waiting:
                    waiting.discard(key)
                    not_sent += outcome["status"] != "sent"
                    _print(outcome, json=json)
    except TimeoutError:
        typer.echo(f"{len(waiting)} requests have no outcome after {wait_s:g} s", err=True)
    return not_sent + len(waiting)


def _print(outcome: dict[str, Any], *, json: bool) -> None:
    if json:
        typer.echo(orjson.dumps(outcome).decode())
        return
    error = outcome["error"]
    what = ", ".join(str(mid) for mid in outcome["message_ids"]) if error is None else ""
    if error is not None:
        what = f"{outcome['reason']}: {error['detail']}"
    typer.echo(f"{outcome['status']:6} {outcome['id'] or 'unknown'}  {what}")
    for problem in error["problems"] if error else ():
        typer.echo(f"       {problem['pointer'] or '(the request)'}: {problem['message']}")
