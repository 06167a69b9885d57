"""When a call may leave, and who wants to know that it did."""

from collections.abc import Callable
from typing import NamedTuple


class Departure(NamedTuple):
    """By `latest` (unix seconds) or not at all; `left` is called as the first byte goes."""

    latest: float
    left: Callable[[], None]
