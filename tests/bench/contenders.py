"""Who takes part: how each is started and fed. One worker process each, uvloop where it is asyncio.

All keep the same number of calls under way and about as many messages in hand.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench import messages
from tests.replicas.loader import Letter
from tests.support.commands import IGSEND
from worker.rabbit.names import Names

ROOT = Path(__file__).absolute().parents[2]
NAMES = Names("ig", 8)
OUTCOMES_QUEUE = "bench.outcomes"
# More only hand the interpreter's lock around: calls are short, the sink answers at once.
_THREADS = "8"
_QUORUM: Mapping[str, str] = {"x-queue-type": "quorum"}
# What Dramatiq itself declares, and insists on.
_DEAD_LETTERED: Mapping[str, str] = {
    "x-dead-letter-exchange": "",
    "x-dead-letter-routing-key": "bench.dramatiq.XQ",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker finds everything, and how much it may have in hand."""

    amqp_url: str
    redis_url: str
    sink_url: str
    accounts: Path
    in_flight: int
    prefetch: int


@dataclass(frozen=True, slots=True)
class Contender:
    """One program under test. `queue` is what it is fed through: an exchange for igsend.

    `arguments` are those of its queue.
    """

    name: str
    command: Callable[[Place], Sequence[str]]
    settings: Callable[[Place], Mapping[str, str]]
    queue: str
    wrap: Callable[[str, bytes], Letter]
    arguments: Mapping[str, str] = field(default_factory=dict)
    outcomes: bool = False

    @property
    def is_igsend(self) -> bool:
        return self.name.startswith("igsend")

    def letter(self, request: bytes) -> Letter:
        return self.wrap(self.queue, request)


def _igsend(gate: str, outcomes: str) -> Callable[[Place], Mapping[str, str]]:
    def settings(place: Place) -> Mapping[str, str]:
        return {
            "IGSEND_AMQP_URL": place.amqp_url,
            "IGSEND_GATE_URL": place.redis_url if gate == "redis" else "memory://",
            "IGSEND_GRAPH_URL": place.sink_url,
            "IGSEND_ACCOUNTS": str(place.accounts),
            "IGSEND_PREFETCH": str(max(1, place.prefetch // NAMES.partitions)),
            "IGSEND_CONCURRENCY": str(place.in_flight),
            "IGSEND_OUTCOMES": outcomes,
            "IGSEND_HTTP_HOST": "127.0.0.1",
            "IGSEND_HTTP_PORT": "0",
        }

    return settings


def _framework(queue: str) -> Callable[[Place], Mapping[str, str]]:
    def settings(place: Place) -> Mapping[str, str]:
        return {
            "BENCH_AMQP_URL": place.amqp_url,
            "BENCH_SINK_URL": place.sink_url,
            "BENCH_QUEUE": queue,
            "BENCH_IN_FLIGHT": str(place.in_flight),
            "BENCH_THREADS": _THREADS,
            "BENCH_PREFETCH": str(place.prefetch),
            # Dramatiq's own setting, which it reads from the environment alone.
            "dramatiq_queue_prefetch": str(place.prefetch),
            "PYTHONPATH": str(ROOT),
        }

    return settings


def _installed(program: str, *arguments: str) -> Callable[[Place], Sequence[str]]:
    """Run a program of the other contenders' environment."""
    return lambda _: (str(ROOT / ".venv-bench" / "bin" / program), *arguments)


def _bare(_: Place) -> Sequence[str]:
    return (sys.executable, "-m", "tests.bench.handlers.bare")


def _igsend_worker(_: Place) -> Sequence[str]:
    return (str(IGSEND), "worker")


def _taskiq(place: Place) -> Sequence[str]:
    at_once = str(place.in_flight)
    return _installed(
        "taskiq", "worker", "tests.bench.handlers.taskiq_app:broker",
        "--workers", "1", "--no-parse", "--log-level", "WARNING",
        "--max-async-tasks", at_once, "--max-prefetch", at_once,
    )(place)  # fmt: skip


_FASTSTREAM = _installed(
    "faststream", "run", "tests.bench.handlers.faststream_app:app",
    "--loop", "uvloop:new_event_loop",
)  # fmt: skip
_CELERY = _installed(
    "celery", "-A", "tests.bench.handlers.celery_app", "worker",
    "--pool", "threads", "--concurrency", _THREADS, "--loglevel", "WARNING",
    "--without-gossip", "--without-mingle", "--without-heartbeat",
)  # fmt: skip
_DRAMATIQ = _installed(
    "dramatiq", "tests.bench.handlers.dramatiq_app", "--processes", "1", "--threads", _THREADS
)


def _igsend_contender(name: str, gate: str, outcomes: str) -> Contender:
    return Contender(
        name,
        _igsend_worker,
        _igsend(gate, outcomes),
        NAMES.requests,
        messages.to_igsend,
        outcomes=outcomes == "all",
    )


def _other(
    name: str,
    command: Callable[[Place], Sequence[str]],
    wrap: Callable[[str, bytes], Letter] = messages.to_queue,
    arguments: Mapping[str, str] = _QUORUM,
) -> Contender:
    queue = f"bench.{name}"
    return Contender(name, command, _framework(queue), queue, wrap, arguments)


CONTENDERS = (
    _other("bare", _bare),
    _igsend_contender("igsend-memory", "memory", "all"),
    _igsend_contender("igsend-redis", "redis", "all"),
    _igsend_contender("igsend-no-outcomes", "memory", "none"),
    _other("faststream", _FASTSTREAM),
    _other("taskiq", _taskiq, messages.to_taskiq),
    _other("celery", _CELERY, messages.to_celery),
    _other("dramatiq", _DRAMATIQ, messages.to_dramatiq, _DEAD_LETTERED),
)
