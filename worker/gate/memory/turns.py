"""One request at a time per conversation, in order of arrival, also while one is parked."""

import asyncio
from dataclasses import dataclass, field
from itertools import islice

from worker.core.request import SendRequest

Conversation = tuple[str, str]
Key = tuple[str, str]

# How long after it was due a parked request keeps its place. A message that is deleted from a
# delay queue by hand must not block its conversation for ever.
LEASE_S = 120.0

# A guess at how long one request of the same conversation takes; parking is not free, so those
# far behind look less often.
PER_PLACE_S = 0.25
SHORTEST_WAIT_S = 1.0
# Only so many followers wait in hand; a long conversation must not fill the prefetch window.
NEAR = 3

# Places of parked requests are kept for this many conversations. Beyond that (a flood to many
# people) a parked request gives up its place, and with it only the order among its like.
MOST_CONVERSATIONS = 50_000


@dataclass(slots=True)
class _Place:
    """A place in the queue: when its holder is due back (None while it is in hand)."""

    due: float | None = None
    called: asyncio.Event = field(default_factory=asyncio.Event)


class Turns:
    """The queues of all conversations; empty ones are forgotten."""

    def __init__(self) -> None:
        self._queues: dict[Conversation, dict[Key, _Place]] = {}

    def __len__(self) -> int:
        return len(self._queues)

    def line_up(self, request: SendRequest, *, now: float) -> float:
        """Take a place at the end, or keep the one it has; say how late it is back (seconds)."""
        queue = self._queues.setdefault(request.conversation, {})
        self._drop_lost(queue, now)
        place = queue.setdefault(request.key, _Place())
        late_s = 0.0 if place.due is None else now - place.due
        place.due = None
        return late_s

    def ahead(self, request: SendRequest) -> int:
        """Count those before it."""
        return list(self._queues[request.conversation]).index(request.key)

    def has_turn(self, request: SendRequest) -> bool:
        return next(iter(self._queues[request.conversation])) == request.key

    def called_soon(
        self, request: SendRequest, *, now: float, within_s: float
    ) -> asyncio.Event | None:
        """Give the event to wait for in hand: few are before it, and none is parked for long."""
        queue = self._queues[request.conversation]
        first = list(islice(queue, NEAR + 1))
        if request.key not in first:
            return None
        before = (queue[key].due for key in first[: first.index(request.key)])
        if any(due is not None and due >= now + within_s for due in before):
            return None
        called = queue[request.key].called
        called.clear()
        return called

    def look_again_at(self, request: SendRequest, *, now: float) -> float:
        """When the turn may have come (unix seconds), from the head and the place in the queue."""
        queue = self._queues[request.conversation]
        head = next(iter(queue.values()))
        start = now if head.due is None else max(now, head.due)
        return start + max(SHORTEST_WAIT_S, PER_PLACE_S * list(queue).index(request.key))

    def expect(self, request: SendRequest, *, due: float) -> None:
        """Keep the place of a request that is parked until `due`."""
        if len(self._queues) > MOST_CONVERSATIONS:
            self.leave(request)
            return
        place = self._queues.get(request.conversation, {}).get(request.key)
        if place is not None:
            place.due = due

    def leave(self, request: SendRequest) -> None:
        """Give up the place and call the next."""
        queue = self._queues.get(request.conversation)
        if queue is None or queue.pop(request.key, None) is None:
            return
        if not queue:
            del self._queues[request.conversation]
            return
        next(iter(queue.values())).called.set()

    @staticmethod
    def _drop_lost(queue: dict[Key, _Place], now: float) -> None:
        lost = [k for k, p in queue.items() if p.due is not None and p.due + LEASE_S < now]
        for key in lost:
            del queue[key]
