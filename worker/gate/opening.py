"""Opens the gate that IGSEND_GATE_URL names. What Redis takes is imported only for Redis."""

from importlib import import_module

from worker.config import Config
from worker.core.rate_limit import Pace, parse_limit
from worker.gate.memory.opening import memory_gate
from worker.gate.open_gate import OpenGate, StoreObserver
from worker.ports import Clock


def gate_of(config: Config, clock: Clock, *, observer: StoreObserver) -> OpenGate:
    """Open the gate; no connection yet."""
    limit = config.app_limit
    pace = None if limit is None else Pace.within(parse_limit(limit), margin=config.rate_margin)
    if config.gate_url.get_secret_value() == "memory://":
        return memory_gate(config, clock, app_pace=pace)
    redis = import_module("worker.gate.redis.opening")
    opened: OpenGate = redis.redis_gate(config, clock, app_pace=pace, observer=observer)
    return opened
