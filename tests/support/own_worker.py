"""A worker of one test, beside the one that all share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_hex

from tests.support.nodes import Broker
from tests.support.producer import Producer, a_producer
from tests.support.system import RunningWorker, System, running_worker


@asynccontextmanager
async def worker_with(
    system: System,
    folder: Path,
    accounts: Path | str,
    *,
    prefix: str | None = None,
    log_level: str = "info",
) -> AsyncIterator[tuple[RunningWorker, Producer]]:
    """Run one more worker beside the shared one, with queues and accounts of its own."""
    prefix = prefix or f"{system.broker.prefix}.{token_hex(3)}"
    broker = Broker(system.broker.amqp_url, prefix, system.broker.vhost, system.broker.server)
    own = {"IGSEND_PREFIX": prefix, "IGSEND_PARTITIONS": "1", "IGSEND_ACCOUNTS": str(accounts)}
    own["IGSEND_LOG_LEVEL"] = log_level
    async with (
        running_worker(folder, {**system.settings, **own}) as worker,
        a_producer(broker) as producer,
    ):
        yield worker, producer
