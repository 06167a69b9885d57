"""Who came first in each conversation, as anybody outside the gate could tell."""

import math
from dataclasses import dataclass

from worker.core.request import SendRequest

Key = tuple[str, str]
Conversation = tuple[str, str]

# A request that is parked for ever, or whose worker died, loses its place some time after this.
LOST_S = 120.0


@dataclass(slots=True, eq=False)
class Place:
    """`visits` of a request are with the gate or have its grant; else it is due back at `due`.

    Unless `is_ordered`, it may have lost its place, and neither waits nor is waited for.
    """

    visits: int = 0
    due: float = -math.inf
    is_ordered: bool = True


class Line:
    """The places of all conversations."""

    def __init__(self) -> None:
        self._places: dict[Conversation, dict[Key, Place]] = {}

    def is_empty(self, request: SendRequest) -> bool:
        return not self._places.get(request.conversation)

    def look_up(self, request: SendRequest) -> Place | None:
        return self._places.get(request.conversation, {}).get(request.key)

    def come(self, request: SendRequest, *, now: float) -> Place:
        """Take a place at the end, or the one it has."""
        self.drop_lost(request, now=now)
        place = self._places.setdefault(request.conversation, {}).setdefault(request.key, Place())
        place.visits += 1
        return place

    def leave(self, request: SendRequest) -> None:
        self._places.get(request.conversation, {}).pop(request.key, None)

    def drop_lost(self, request: SendRequest, *, now: float) -> None:
        """Note whose place may be lost by now."""
        for place in self._places.get(request.conversation, {}).values():
            if place.visits == 0 and now > place.due + LOST_S:
                place.is_ordered = False

    def disorder(self) -> None:
        """Somebody's question may arrive later than those that were asked after it."""
        for places in self._places.values():
            for place in places.values():
                if place.visits > 0:
                    place.is_ordered = False

    def before(self, request: SendRequest, *, now: float) -> list[Key]:
        """Name those who came earlier and still have their places."""
        self.drop_lost(request, now=now)
        places = self._places.get(request.conversation, {})
        own = places.get(request.key)
        if own is None or not own.is_ordered:
            return []
        earlier = list(places)[: list(places).index(request.key)]
        return [key for key in earlier if places[key].is_ordered]
