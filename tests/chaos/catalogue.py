"""All kinds of faults by name, and which of them a gate can be asked to stand."""

from collections.abc import Mapping

from tests.chaos.faults.api import ApiFault, ThrottledStorm
from tests.chaos.faults.broker import (
    BrokerKilled,
    BrokerRestarted,
    ChannelsClosed,
    ConnectionsClosed,
    MemoryAlarm,
    QueueDeleted,
)
from tests.chaos.faults.clock import ClockStepped
from tests.chaos.faults.fault import Fault
from tests.chaos.faults.network import Cut, Refused, Road, Slow, Swallowed
from tests.chaos.faults.redis import RedisFrozen, RedisKilled, RedisRestarted, RedisTold
from tests.chaos.faults.worker import Frozen, KilledAnywhere, KilledAt, Rolled
from tests.chaos.worker_process import Point
from tests.replicas.site import Gate

KILLS: tuple[Fault, ...] = (KilledAnywhere(), *map(KilledAt, Point))

_BROKER: tuple[Fault, ...] = (
    BrokerRestarted(),
    BrokerKilled(),
    ConnectionsClosed(),
    ChannelsClosed(),
    QueueDeleted("broker: consumers cancelled", for_s=0.0),
    QueueDeleted("broker: queue away", for_s=3.0),
    MemoryAlarm(),
)

_REDIS: tuple[Fault, ...] = (
    RedisRestarted(),
    RedisKilled(),
    RedisFrozen(),
    RedisTold("Redis: paused by command", "CLIENT PAUSE 1500"),
    RedisTold("Redis: scripts flushed", "SCRIPT FLUSH"),
    RedisTold("Redis: connections killed", "CLIENT KILL TYPE normal SKIPME no"),
)

_API: tuple[Fault, ...] = (
    ApiFault("slow", {"latency_s": 1.5}),
    ApiFault("hang, not accepted", {"scenario": "hang_before_accept"}, most=4),
    ApiFault("hang, accepted", {"scenario": "hang_after_accept"}, most=4),
    ApiFault("reset before accepted", {"scenario": "reset_before_accept"}),
    ApiFault("reset after accepted", {"scenario": "reset_after_accept"}),
    ApiFault("answer cut", {"scenario": "cut_answer"}),
    ApiFault("500", {"scenario": "temporary_error"}),
    ApiFault("503 without a body", {"status": 503}),
    ApiFault("HTML 502", {"scenario": "html_502"}),
    ApiFault("HTML 502, accepted", {"scenario": "html_502_after_accept"}),
    ApiFault("error, accepted", {"scenario": "error_after_accept"}, most=4),
    ThrottledStorm(),
)


def _network(*roads: Road) -> tuple[Fault, ...]:
    return tuple(
        fault for road in roads for fault in (Cut(road), Refused(road), Swallowed(road), Slow(road))
    )


def catalogue(gate: Gate) -> Mapping[str, Fault]:
    """Give what a gate has to stand.

    The memory gate forgets with its process: SIGKILL is its documented window, and a replacement
    does not know what the one before sent.
    """
    calm = (*_BROKER, *_API, ClockStepped(), Frozen(), Swallowed("broker", 0.3, longest_s=25.0))
    if gate == "memory":
        faults: tuple[Fault, ...] = (*calm, *_network("broker", "api"))
    else:
        faults = (*KILLS, Rolled(), *calm, *_REDIS, *_network("broker", "redis", "api"))
    return {fault.kind: fault for fault in faults}
