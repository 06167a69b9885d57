"""`igsend worker`: the worker itself, until SIGTERM or SIGINT."""

import asyncio
import gc
import os
import signal

import uvloop

from worker.accounts.source import AccountsError
from worker.app import StartError, Worker
from worker.cli.failure import CommandFailed, UsageFailed, config_from_environment
from worker.config import Config
from worker.telemetry.health import CannotListen
from worker.telemetry.logs import configure_logging

# After so many new objects the collector looks for cycles (then less and less often, where they are
# older). With Python's own 700 it goes through all that is in hand again and again: a third of the
# CPU time of a busy worker, to find next to nothing, for what a request leaves has no cycles.
COLLECT_AFTER = (50_000, 20, 100)


def worker() -> None:
    """Consume requests and send them until SIGTERM; then finish what is in hand and exit 0."""
    config = config_from_environment()
    configure_logging(config.log_level, config.log_format)
    gc.set_threshold(*COLLECT_AFTER)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            is_clean = runner.run(_run(config))
    except (AccountsError, StartError) as error:
        raise UsageFailed(str(error)) from None
    except CannotListen as error:
        raise CommandFailed(str(error)) from None
    if not is_clean:
        raise CommandFailed("stopped with deliveries unsettled; the broker delivers them again")


async def _run(config: Config) -> bool:
    service = Worker(config, os.environ)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, service.stop)
    return await service.run()
