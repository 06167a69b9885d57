"""The names of exchanges and queues under a prefix (design 4)."""

from dataclasses import dataclass

from worker.core.delivery import Lane
from worker.core.reason import Reason

# Bits of a delay in whole seconds: 2^17 - 1 s is a little over 36 hours.
DELAY_LEVELS = 17
LONGEST_DELAY_S = 2**DELAY_LEVELS - 1


@dataclass(frozen=True, slots=True)
class Names:
    """Everything is `<prefix>.…`; `partitions` is the number of interactive intake queues."""

    prefix: str
    partitions: int

    @property
    def requests(self) -> str:
        return f"{self.prefix}.requests"

    @property
    def spread(self) -> str:
        return f"{self.prefix}.spread"

    @property
    def bulk(self) -> str:
        return f"{self.prefix}.bulk"

    @property
    def bulk_queue(self) -> str:
        return f"{self.prefix}.bulk.v1"

    @property
    def send_queues(self) -> tuple[str, ...]:
        return tuple(f"{self.prefix}.send.v1.{n:02d}" for n in range(self.partitions))

    @property
    def intake(self) -> dict[str, Lane]:
        """Every intake queue and its lane."""
        return dict.fromkeys(self.send_queues, Lane.INTERACTIVE) | {self.bulk_queue: Lane.BULK}

    @property
    def deliver(self) -> str:
        return f"{self.prefix}.delay.deliver"

    @property
    def dead(self) -> str:
        return f"{self.prefix}.dead"

    @property
    def outcomes(self) -> str:
        return f"{self.prefix}.outcomes"

    def delay(self, level: int) -> str:
        """Exchange and queue of the level that waits 2^level seconds."""
        return f"{self.prefix}.delay.{level:02d}"

    def dead_queue(self, reason: Reason) -> str:
        return f"{self.prefix}.dead.{reason.value}"


def delay_route(names: Names, queue: str, *, delay_s: int) -> tuple[str, str]:
    """Give (exchange, routing key) for a wait of `delay_s` whole seconds before `queue`.

    The key spells the delay in binary, most significant bit first, then names the queue. The
    first exchange is that of the highest bit set: the empty levels above need no hop.
    """
    if not 1 <= delay_s <= LONGEST_DELAY_S:
        raise ValueError(f"a delay of {delay_s} s is not within 1 and {LONGEST_DELAY_S}")
    bits = format(delay_s, f"0{DELAY_LEVELS}b")
    return names.delay(delay_s.bit_length() - 1), ".".join(bits) + "." + queue
