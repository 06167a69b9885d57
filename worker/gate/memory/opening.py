"""The gate in this process, from the settings."""

from worker.config import Config
from worker.core.rate_limit import Pace
from worker.gate.app_limit import AppLimited
from worker.gate.memory.app_bucket import MemoryAppBucket
from worker.gate.memory.gate import MemoryGate
from worker.gate.memory.inspection import MemoryInspector
from worker.gate.open_gate import OpenGate
from worker.ports import Clock


def memory_gate(config: Config, clock: Clock, *, app_pace: Pace | None) -> OpenGate:
    """Open the gate, behind a bucket of the whole app if there is a limit."""
    gate = MemoryGate(
        clock, margin=config.rate_margin, keep_s=config.remember_s, most=config.remember_max
    )
    bucket = None if app_pace is None else MemoryAppBucket(app_pace)
    return OpenGate(
        gate,
        gate if bucket is None else AppLimited(gate, gate, bucket, clock),
        inspector=MemoryInspector(gate, clock, margin=config.rate_margin),
    )
