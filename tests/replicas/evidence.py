"""What the sandbox saw, one line per call: the only thing a scenario judges by."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

import orjson

from tests.replicas.windows import Allowed, Violation, check, not_by_a_stall

# What requests carry in their text or URL, so that a call tells which part of which it is.
MARK = re.compile(r"\b([a-z]+-\d+)/(\d+)\b")
# Stalls of the sandbox shorter than this cannot hide a window that is too full.
STALL_S = 0.004


@dataclass(frozen=True, slots=True)
class Seen:
    """One call. Times are unix seconds of the sandbox process.

    `bucket` is the limit Meta counts it against; "conversations" are calls that only read.
    `request` and `part` are None when the body was not read; `answered_at` is None when the client
    left before the answer.
    """

    account_id: str
    recipient_id: str
    bucket: str
    request: str | None
    part: int | None
    received_at: float
    answered_at: float | None
    accepted: bool
    status: int | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Every call in the order of receipt, and how well the sandbox could see.

    `stalls` are (end, length) of the times its event loop was late by more than STALL_S.
    """

    calls: Sequence[Seen]
    stalls: Sequence[tuple[float, float]]

    @property
    def accepted(self) -> list[Seen]:
        return [call for call in self.calls if call.accepted]

    @property
    def worst_stall_s(self) -> float:
        return max((length for _, length in self.stalls), default=0.0)

    def times(self) -> dict[tuple[str, str], list[float]]:
        """Give the receive times by account and bucket."""
        found: dict[tuple[str, str], list[float]] = defaultdict(list)
        for call in self.calls:
            found[call.account_id, call.bucket].append(call.received_at)
        return found

    def of_account(self, account_id: str) -> list[Seen]:
        return [call for call in self.calls if call.account_id == account_id]

    def violations(self, limits: Mapping[str, Allowed]) -> list[Violation]:
        """Check every window of every account's bucket that has a limit here."""
        times = [(times, limits.get(bucket)) for (_, bucket), times in self.times().items()]
        found = [v for each, allowed in times if allowed for v in check(each, allowed).violations]
        return not_by_a_stall(found, self.stalls)

    def conversations(self) -> dict[tuple[str, str], list[Seen]]:
        """Give the calls that send by account and person."""
        found: dict[tuple[str, str], list[Seen]] = defaultdict(list)
        for call in self.calls:
            if call.bucket != "conversations":
                found[call.account_id, call.recipient_id].append(call)
        return found

    def sent_more_than_once(self) -> list[str]:
        """Name the parts of requests that were accepted twice: the worst that can happen."""
        counts = Counter((call.request, call.part) for call in self.accepted)
        return sorted(f"{request}/{part}" for (request, part), n in counts.items() if n > 1)

    def sent_requests(self) -> set[str]:
        return {call.request for call in self.accepted if call.request is not None}


def mark_in(text: str) -> tuple[str, int] | tuple[None, None]:
    """Find which part of which request a body is."""
    match = MARK.search(text)
    return (None, None) if match is None else (match[1], int(match[2]))


def write(path: Path, calls: Iterable[Seen], stalls: Iterable[tuple[float, float]]) -> None:
    """Write the evidence; the file appears complete or not at all."""
    lines = chain([list(stalls)], (asdict(call) for call in calls))
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        file.writelines(orjson.dumps(line) + b"\n" for line in lines)
    unfinished.rename(path)


def read(path: Path) -> Evidence:
    with path.open("rb") as file:
        stalls = [(end, length) for end, length in orjson.loads(file.readline())]
        calls = [Seen(**orjson.loads(line)) for line in file]
    return Evidence(sorted(calls, key=lambda call: call.received_at), stalls)
