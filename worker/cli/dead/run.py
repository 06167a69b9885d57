"""What every `igsend dead` command begins with, and how it says what went wrong."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVar

import typer

from worker.cli.failure import CommandFailed, UsageFailed, config_from_environment
from worker.core.reason import Reason
from worker.dead.letters import DeadLetters
from worker.dead.lock import Locked, QueueMissing
from worker.dead.queue import DeadQueue
from worker.dead.rest import InUse
from worker.dead.scan import MOST_LETTERS, ScanBroken
from worker.rabbit.link import CONNECTION_ERRORS, describe
from worker.rabbit.names import Names

Result = TypeVar("Result")


def run(work: Coroutine[None, None, Result]) -> Result:
    """Run a command, and say in a sentence what went wrong on the way."""
    try:
        return asyncio.run(_until_told_to_end(work))
    except CONNECTION_ERRORS as error:
        raise UsageFailed(
            f"no connection to RabbitMQ, or it was lost ({describe(error)}); what was not done is "
            "where it was. Look at IGSEND_AMQP_URL, and run it again"
        ) from None
    except ScanBroken as error:
        raise CommandFailed(f"{error} What was not done is where it was") from None
    except InUse as in_use:
        raise CommandFailed(str(in_use)) from None
    except QueueMissing as missing:
        raise UsageFailed(
            f"there is no queue {missing}; run `igsend topology declare`, or look at IGSEND_PREFIX"
        ) from None
    except Locked as locked:
        raise CommandFailed(f"another operator is at work ({locked} is taken)") from None


async def _until_told_to_end(work: Coroutine[None, None, Result]) -> Result:
    """End as a cancellation does on Ctrl-C and SIGTERM: nothing is left half done."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None, "it runs in one"
    told: list[signal.Signals] = []

    def end(which: signal.Signals) -> None:
        told.append(which)
        task.cancel()

    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, end, each)
    try:
        return await work
    except asyncio.CancelledError:
        if told:
            raise CommandFailed(
                f"ended by {told[0].name}; what was not done is where it was"
            ) from None
        # The client library cancels those who wait for a connection that is lost.
        raise ConnectionError("it closed while in use") from None
    finally:
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(each)


@asynccontextmanager
async def the_letters() -> AsyncIterator[DeadLetters]:
    config = config_from_environment()
    names = Names(config.prefix, config.partitions)
    async with DeadLetters.connected(config.amqp_url.get_secret_value(), names) as letters:
        yield letters


@asynccontextmanager
async def the_queue(reason: Reason, *, no_wait: bool) -> AsyncIterator[DeadQueue]:
    def tell() -> None:
        typer.echo("another operator is at work here; waiting (Ctrl-C ends it)", err=True)

    async with (
        the_letters() as letters,
        letters.at(reason, wait_s=0.0 if no_wait else float("inf"), on_wait=tell) as queue,
    ):
        if queue.total > MOST_LETTERS:
            typer.echo(f"only the oldest {MOST_LETTERS} of {queue.total} are looked at", err=True)
        yield queue


async def agreed(question: str) -> bool:
    """Ask on the terminal while the connections stay alive."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        loop.remove_reader(sys.stdin)
        answer.set_result(sys.stdin.readline())

    typer.echo(f"{question} [y/N]: ", err=True, nl=False)
    loop.add_reader(sys.stdin, read)
    try:
        return (await answer).strip().lower() in ("y", "yes")
    finally:
        loop.remove_reader(sys.stdin)
