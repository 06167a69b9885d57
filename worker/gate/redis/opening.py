"""The gate that all workers share, from the settings."""

from worker.config import Config
from worker.core.rate_limit import Pace
from worker.gate.app_limit import AppLimited
from worker.gate.open_gate import OpenGate, StoreObserver
from worker.gate.redis.app_bucket import RedisAppBucket
from worker.gate.redis.gate import RedisGate
from worker.gate.redis.store import Store
from worker.ports import Clock


def redis_gate(
    config: Config, clock: Clock, *, app_pace: Pace | None, observer: StoreObserver
) -> OpenGate:
    """Open the gate, behind a bucket of the whole app if there is a limit; no connection yet."""
    prefix = config.prefix
    store = Store(
        config.gate_url.get_secret_value(), probe_key=f"{prefix}:probe", observer=observer
    )
    gate = RedisGate(
        store, clock, prefix=prefix, margin=config.rate_margin, keep_s=config.remember_s
    )
    bucket = (
        None if app_pace is None else RedisAppBucket(store, clock, prefix=prefix, pace=app_pace)
    )
    return OpenGate(
        gate,
        gate if bucket is None else AppLimited(gate, gate, bucket, clock),
        running=(store.run, gate.run),
        worker=gate.worker,
    )
