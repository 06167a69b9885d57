"""Estimates what could be sent now: what is in hand exactly, what is unread by what was read last.

Each worker tells of its own share of every queue, so that the sum over all workers is the whole.
"""

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from worker.core.outcome import Postponed
from worker.core.report import Report
from worker.core.sendable import (
    SOON_S,
    Depth,
    InHand,
    Line,
    Reading,
    Standing,
    could_go,
    head_read,
    held_until,
    line_of,
    oldest,
)
from worker.ports import Clock

# What was read before the last look counts so much, before that the square of it, and so on.
_FORGET = 0.7
_FORGOTTEN = 0.1
_GOING = (Standing.CALLING, Standing.NEXT, Standing.UNASKED)
_MOST_LINES = 10_000
SHOWN_EVERY_S = 1.0
# Who makes up more than this of what was read, and is put off, floods: its limit just has not made
# anybody wait for long yet.
_MOST_OF_ALL = 0.5


@dataclass(slots=True)
class _Queue:
    """What is known of one queue.

    `ended` passes of late, those before the last look counting less; `could` are those of them
    that might go, by the line that the next of their kind would stand in; in the lines `put_off`
    some had to wait a little. `estimate` is this worker's share of what is ready and could go;
    `sendable` the lesser of the last two: one look alone may see what is read a moment later.
    """

    ended: float = 0.0
    could: dict[Line, float] = field(default_factory=dict)
    put_off: set[Line] = field(default_factory=set)
    ended_before: float = 0.0
    in_hand: int = 0
    consumers: int = 0
    looks: int = 0
    estimate: float = 0.0
    sendable: float = 0.0
    readings: list[Reading] = field(default_factory=list)

    def floods(self, in_hand: int) -> list[Line]:
        """Name who is put off and makes up most of what was read."""
        most = (self.ended + in_hand) * _MOST_OF_ALL
        return [line for line in self.put_off if self.could[line] > most]

    def look(
        self,
        depth: Depth,
        members: Sequence[InHand],
        held: Container[Line],
        *,
        could: int,
        now: float,
    ) -> None:
        # Who has just come tells of its part at its second look: until then it is the others'.
        before = self.consumers if self.looks > 1 else depth.consumers
        consumers = max(1, min(depth.consumers, before))
        self.consumers, self.looks = depth.consumers, self.looks + 1
        read = max(0.0, self.ended - self.ended_before + len(members) - self.in_hand)
        self.readings = head_read(self.readings, now=now, ready=depth.ready, read=read * consumers)
        known = self.ended + sum(each.standing is not Standing.DONE for each in members)
        # Who is held back now was on the way to it when the first of its requests went.
        self.could = {line: count for line, count in self.could.items() if line not in held}
        # Nothing read and nothing in hand: then nothing is known against what lies there.
        share = (sum(self.could.values()) + could) / known if known >= 1 else 1.0
        last, self.estimate = self.estimate, depth.ready / consumers * min(1.0, share)
        self.sendable = min(last, self.estimate)
        self._forget()
        self.in_hand = len(members)

    def _forget(self) -> None:
        self.ended = self.ended_before = self.ended * _FORGET
        fading = ((line, count * _FORGET) for line, count in self.could.items())
        self.could = {line: count for line, count in fading if count > _FORGOTTEN}
        self.put_off &= self.could.keys()


class SendableBacklog:
    """Implements the Observer port; `looked` is told how deep the queues are."""

    def __init__(self, in_hand: Callable[[], Iterable[InHand]], clock: Clock) -> None:
        self._in_hand = in_hand
        self._clock = clock
        self._queues: dict[str, _Queue] = defaultdict(_Queue)
        self._held: dict[Line, float] = {}
        self._last, self._last_at = (0.0, 0.0), float("-inf")

    def observe(self, report: Report) -> None:
        queue = self._queues[report.delivery.queue]
        queue.ended += 1
        request, outcome, now = report.request, report.outcome, report.finished_at
        if request is None:
            return
        until = held_until(outcome, now=now)
        if until is not None:
            self._hold(line_of(outcome, request, report.delivery.lane), until)
        elif could_go(outcome, now=now, was_called=bool(report.api_calls)) and (
            self._held.get(request.conversation, now) <= now
        ):
            line = line_of(outcome, request, report.delivery.lane)
            queue.could[line] = queue.could.get(line, 0.0) + 1
            if isinstance(outcome, Postponed):
                queue.put_off.add(line)

    def moved(self, queue: str) -> None:
        """Note that a message of a diverted account was carried out of a queue, unread."""
        self._queues[queue].ended += 1

    def looked(self, depths: Mapping[str, Depth]) -> None:
        """Take in how deep the queues are; empty when they cannot be asked."""
        now = self._clock.now()
        self._held = {line: until for line, until in self._held.items() if until > now}
        if not depths:
            self._queues.clear()
            return
        members: dict[str, list[InHand]] = defaultdict(list)
        for each in self._in_hand():
            members[each.queue].append(each)
        for name in depths:
            for line in self._queues[name].floods(len(members[name])):
                self._hold(line, now + SOON_S)
        for name, depth in depths.items():
            could = sum(
                each.standing in _GOING and not self._is_held(each, now) for each in members[name]
            )
            self._queues[name].look(depth, members[name], self._held, could=could, now=now)

    def lately(self) -> tuple[float, float]:
        """Give what `shown` does, as it was up to a second ago: it looks at all that is in hand."""
        now = self._clock.now()
        if abs(now - self._last_at) >= SHOWN_EVERY_S:
            self._last, self._last_at = self.shown(), now
        return self._last

    def shown(self) -> tuple[float, float]:
        """Give what could be sent now, and for how long the first of it has waited (seconds)."""
        now = self._clock.now()
        ours = [each for each in self._in_hand() if self._could_go(each, now)]
        waiting = [each.since for each in ours if each.standing is not Standing.CALLING]
        for queue in self._queues.values():
            if queue.sendable >= 1:
                waiting.extend(reading.at for reading in queue.readings[:1])
        unread = sum(queue.sendable for queue in self._queues.values())
        return len(ours) + unread, oldest(waiting, now=now)

    def _could_go(self, each: InHand, now: float) -> bool:
        if each.standing is Standing.UNASKED:
            return not self._is_held(each, now)
        return each.standing in _GOING

    def _hold(self, line: Line, until: float) -> None:
        if len(self._held) < _MOST_LINES:
            self._held[line] = max(until, self._held.get(line, until))

    def _is_held(self, each: InHand, now: float) -> bool:
        return bool(self._held) and any(self._held.get(line, now) > now for line in each.lines)
