"""What the worker needs to know of its gate, whichever that is."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from worker.gate.inspecting import Inspector
from worker.ports import Gate, Ledger, ReadLimit


class WholeGate(Gate, Ledger, ReadLimit, Protocol):
    """All three ports, and how it is."""

    @property
    def trouble(self) -> str | None:
        """Why nothing can be sent now, in one sentence."""
        ...

    def closed(self) -> dict[str, int]:
        """Count what is closed now, by why."""
        ...

    def status(self) -> dict[str, object]:
        """What the status page shows."""
        ...


class StoreObserver(Protocol):
    """Told of every call to the store that workers share."""

    def gate_answered(self, *, after_s: float) -> None: ...

    def gate_failed(self) -> None: ...


@dataclass(frozen=True, slots=True)
class OpenGate:
    """A gate as it was opened, with nothing running yet.

    `limited` is the gate behind the bucket of the whole app, or itself. `running` has to run as
    long as the gate is used. `worker` is what a gate that several share calls this one, and
    `inspector` tells of what only this process knows; of these two there is one.
    """

    whole: WholeGate
    limited: Gate
    running: Sequence[Callable[[], Coroutine[Any, Any, None]]] = ()
    worker: str | None = None
    inspector: Inspector | None = None

    @property
    def is_shared(self) -> bool:
        return self.worker is not None
