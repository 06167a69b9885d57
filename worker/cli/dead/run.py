"""What every `igsend dead` command begins with, and how it says what went wrong."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TypeVar

import typer

from worker.cli.failure import CommandFailed, UsageFailed, config_from_environment
from worker.core.reason import Reason
from worker.dead.letters import DeadLetters
from worker.dead.lock import Locked, QueueMissing
from worker.dead.queue import DeadQueue
from worker.dead.scan import ScanBroken
from worker.rabbit.link import CONNECTION_ERRORS, describe
from worker.rabbit.names import Names

Result = TypeVar("Result")


def run(work: Coroutine[None, None, Result]) -> Result:
    """Run a command, and say in a sentence what went wrong on the way."""
    try:
        return asyncio.run(work)
    except CONNECTION_ERRORS as error:
        raise UsageFailed(
            f"no connection to RabbitMQ, or it was lost ({describe(error)}); what was not done is "
            "where it was. Look at IGSEND_AMQP_URL, and run it again"
        ) from None
    except ScanBroken as error:
        raise CommandFailed(f"{error} What was not done is where it was") from None
    except QueueMissing as missing:
        raise CommandFailed(
            f"there is no queue {missing}; run `igsend topology declare`, or look at IGSEND_PREFIX"
        ) from None
    except Locked as locked:
        raise CommandFailed(f"another operator is at work ({locked} is taken)") from None


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
        yield queue
