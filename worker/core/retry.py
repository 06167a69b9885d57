"""When to try again: exponential backoff with full jitter, inside a deadline."""

from dataclasses import dataclass

# Shorter than this there is no point: one hop through a delay queue takes a second.
SHORTEST_DELAY_S = 1.0
GROWTH = 3.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how far apart a request is tried that certainly was not sent.

    `check_after_s` is how soon the Conversations API is asked about a call without a result; it
    shows a message some time after it was taken, and how long is nowhere said.

    Ceilings of 2 s, 6 s, … 15 min: eight attempts span about a quarter of an hour, so that a
    short outage of the API exhausts nothing.
    """

    max_attempts: int = 8
    base_s: float = 2.0
    longest_s: float = 900.0
    check_after_s: float = 8.0

    def delay_s(self, attempt: int, *, jitter: float) -> float:
        """Give the wait after `attempt` (1 for the first); `jitter` is a sample from [0, 1)."""
        ceiling = min(self.longest_s, self.base_s * GROWTH ** min(attempt - 1, 30))
        return max(SHORTEST_DELAY_S, jitter * ceiling)

    def is_used_up(self, attempt: int) -> bool:
        return attempt >= self.max_attempts
