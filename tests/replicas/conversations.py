"""What the sandbox saw of each conversation: whether requests overlapped, and in which order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from tests.replicas.evidence import Seen


@dataclass(frozen=True, slots=True)
class Order:
    """Counts over conversations.

    `overlaps` are calls that began before the one before was answered; `interleaved` are requests
    that another one came between, retries included; `parts_wrong` are requests whose parts were
    not accepted as 0, 1, 2, …; `inversions` are neighbours not accepted in the order published,
    and `shuffled` the conversations that have any.
    """

    conversations: int
    accepted: int
    overlaps: int
    interleaved: int
    parts_wrong: int
    inversions: int
    shuffled: int


def order_of(conversations: Iterable[Sequence[Seen]], published: Mapping[str, int]) -> Order:
    """Judge the calls of each conversation, in order of receipt; `published` numbers requests."""
    each = [_Conversation(calls, published) for calls in conversations]
    return Order(
        conversations=len(each),
        accepted=sum(len(c.accepted) for c in each),
        overlaps=sum(c.overlaps() for c in each),
        interleaved=sum(c.interleaved() for c in each),
        parts_wrong=sum(c.parts_wrong() for c in each),
        inversions=sum(c.inversions() for c in each),
        shuffled=sum(c.inversions() > 0 for c in each),
    )


class _Conversation:
    def __init__(self, calls: Sequence[Seen], published: Mapping[str, int]) -> None:
        self._calls = calls
        self._published = published
        self.accepted = [call for call in calls if call.accepted]

    def overlaps(self) -> int:
        return sum(
            before.answered_at is None or after.received_at < before.answered_at
            for before, after in pairwise(self._calls)
        )

    def interleaved(self) -> int:
        runs = [name for name, _ in groupby(call.request for call in self._calls)]
        return len(runs) - len(set(runs))

    def parts_wrong(self) -> int:
        parts: dict[str | None, list[int | None]] = {}
        for call in self.accepted:
            parts.setdefault(call.request, []).append(call.part)
        return sum(found != list(range(len(found))) for found in parts.values())

    def inversions(self) -> int:
        names = dict.fromkeys(call.request for call in self.accepted if call.request)
        return sum(
            self._published[before] > self._published[after] for before, after in pairwise(names)
        )
