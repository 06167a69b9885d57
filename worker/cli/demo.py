"""`igsend demo`: the whole product on this machine, with nothing to set up and nothing left."""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from shlex import quote
from time import monotonic
from typing import Any

import aio_pika
import orjson
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from worker.cli.demo_requests import DemoRequest, demo_requests
from worker.cli.demo_world import INBOUND_MESSAGE, DemoWorld, demo_world
from worker.cli.failure import CommandFailed
from worker.contract.schema_files import schema_directory
from worker.core.reason import Reason
from worker.local.errors import NodeError
from worker.local.termination import cancelled_by_sigterm
from worker.rabbit.names import Names

OUTCOMES_WITHIN_S = 90.0
NAMES = Names("ig", 8)
CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Ending:
    """How one request ended: its outcome event, and the queue that holds its dead letter."""

    outcome: dict[str, Any]
    queue: str | None


def demo() -> None:
    """Start everything privately, send one request of each kind, and show how each ended."""
    keep = os.environ.get("KEEP", "") not in {"", "0"}
    console = Console()
    try:
        asyncio.run(_demo(console, keep=keep))
    except NodeError as error:
        raise CommandFailed(str(error)) from None
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise CommandFailed("interrupted; everything it had started is ended") from None


async def _demo(console: Console, *, keep: bool) -> None:
    started = monotonic()
    with cancelled_by_sigterm():
        async with demo_world(lambda step: console.print(f"  {step}", style="dim")) as world:
            requests = demo_requests(run=token_hex(3), inbound_message_id=INBOUND_MESSAGE)
            endings = await _send_all(console, world, requests)
            _print_table(console, requests, endings)
            _judge(console, world, requests, endings, took_s=monotonic() - started)
            _explain(console, world, keep=keep)
            if keep:
                await _stay(console)


async def _send_all(
    console: Console, world: DemoWorld, requests: list[DemoRequest]
) -> dict[str, Ending]:
    """Publish as any producer would, and wait for the outcome of each; by the request's name."""
    connection = await aio_pika.connect(world.environment["IGSEND_AMQP_URL"])
    async with connection:
        channel = await connection.channel(on_return_raises=True)
        arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(NAMES.outcomes, routing_key="#")
        await queue.consume(arrived.put, no_ack=True)
        exchange = await channel.get_exchange(NAMES.requests, ensure=False)
        bar = Progress(
            TextColumn("  {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        outcomes: dict[str, dict[str, Any]] = {}
        with bar:
            task = bar.add_task("outcomes", total=len(requests))
            for request in requests:
                message = aio_pika.Message(
                    request.body, delivery_mode=2, correlation_id=request.name
                )
                await exchange.publish(message, routing_key=request.routing_key)
            async with asyncio.timeout(OUTCOMES_WITHIN_S):
                while len(outcomes) < len(requests):
                    event = await arrived.get()
                    outcomes[str(event.correlation_id)] = orjson.loads(event.body)
                    bar.update(task, completed=len(outcomes))
        buried = await _dead_letters(await connection.channel())
    return {name: Ending(outcome, buried.get(name)) for name, outcome in outcomes.items()}


async def _dead_letters(channel: AbstractChannel) -> dict[str, str]:
    """Look into the dead-letter queues; closing the channel puts everything back in order."""
    found: dict[str, str] = {}
    for reason in Reason:
        queue = await channel.get_queue(NAMES.dead_queue(reason), ensure=False)
        while (letter := await queue.get(fail=False)) is not None:
            found[str(letter.correlation_id)] = queue.name
    await channel.close()
    return found


def _print_table(console: Console, requests: list[DemoRequest], endings: dict[str, Ending]) -> None:
    table = Table(title="What became of each request", title_justify="left")
    for column in ("request", "outcome", "message id or reason", "where it went"):
        table.add_column(column, overflow="fold")
    for request in requests:
        ending = endings[request.name]
        status = ending.outcome["status"]
        style = {"sent": "green", "held": "yellow"}.get(status, "red")
        table.add_row(
            request.name,
            f"[{style}]{status}[/]",
            _detail(ending.outcome),
            ending.queue or "Instagram (sandbox)",
        )
    console.print(table)


def _detail(outcome: dict[str, Any]) -> str:
    if outcome["error"] is not None:
        return f"{outcome['reason']}: {outcome['error']['detail']}"
    ids = [f"{message_id[:16]}…" for message_id in outcome["message_ids"] if message_id]
    return ", ".join(ids) or "done; this kind has no message id"


def _judge(
    console: Console,
    world: DemoWorld,
    requests: list[DemoRequest],
    endings: dict[str, Ending],
    *,
    took_s: float,
) -> None:
    """Hold every ending against what it must be; raises CommandFailed when one differs."""
    wrong = [r.name for r in requests if not _is_as_expected(r, endings[r.name])]
    if wrong:
        raise CommandFailed(
            f"these did not end as they must: {', '.join(wrong)}; the worker's log:\n"
            f"{world.worker_log.read_text()}"
        )
    sent = sum(request.reason is None for request in requests)
    console.print(
        f"{sent} requests were sent, {len(requests) - sent} ended each in its dead-letter queue. "
        f"The sandbox took {len(world.sandbox.accepted)} messages: one request has three parts, "
        f"and one message was taken although its answer never came. {took_s:.0f} s in all.\n"
    )


def _is_as_expected(request: DemoRequest, ending: Ending) -> bool:
    if request.reason is None:
        return ending.outcome["status"] == "sent" and ending.queue is None
    return (
        ending.outcome["reason"] == request.reason
        and ending.queue == NAMES.dead_queue(request.reason)
        and ending.outcome["id"] in (request.id, None)
    )


def _explain(console: Console, world: DemoWorld, *, keep: bool) -> None:
    if not keep:
        console.print("Everything is ended again. To try it by hand:  KEEP=1 make demo")
        return
    console.print("Still running. Paste this into another terminal:\n")
    for line in _for_another_terminal(world):
        console.print(f"    {line}", highlight=False, markup=False, soft_wrap=True)
    console.print(
        "\nThen go on in README.md: Your first message.\n"
        f"What the sandbox was sent:  curl {world.sandbox.url}/_sandbox/messages\n"
        f"The worker's log:           {world.worker_log}\n"
        "Ctrl-C here ends it all.",
        highlight=False,
        soft_wrap=True,
    )


def _for_another_terminal(world: DemoWorld) -> list[str]:
    """Give what reaches the demo from a shell: the settings, and a first message."""
    igsend = Path(sys.executable).with_name("igsend")
    example = Path(str(schema_directory())) / "examples" / "valid" / "text.json"
    place = []
    if igsend.is_relative_to(CHECKOUT):
        igsend, example = igsend.relative_to(CHECKOUT), example.relative_to(CHECKOUT)
        place = [f"cd {quote(str(CHECKOUT))}"]
    settings = [f"export {name}={quote(value)}" for name, value in world.environment.items()]
    return [*place, *settings, f"{quote(str(igsend))} send {quote(str(example))} --wait 10"]


async def _stay(console: Console) -> None:
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told_to_stop.set)
    await told_to_stop.wait()
    console.print("Ending everything.")
