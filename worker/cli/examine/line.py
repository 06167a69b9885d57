"""What the doctor says of one thing."""

from dataclasses import dataclass
from enum import StrEnum

# Deadlines and windows are compared with this machine's clock.
LARGEST_SKEW_S = 5.0


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing looked at; `advice` says what to do unless it is ok."""

    verdict: Verdict
    what: str
    found: str
    advice: str = ""
