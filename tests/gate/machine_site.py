"""A broker, an API and some workers around a gate, all in one loop whose time jumps."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import floor
from typing import Protocol

import orjson

from tests.gate.machine_calls import Grant
from tests.gate.machine_openings import LAPSE, OPENING
from tests.gate.machine_time import LoopClock, VirtualLoop, lapse
from tests.gate.machine_watch import Watch, WatchedGate
from tests.gate.world import ERROR
from tests.support.fakes import FakeAccounts, FakeObserver
from worker.contract.validator import RequestValidator
from worker.core.account import Account
from worker.core.delivery import Delivery
from worker.core.outcome import Dead
from worker.core.outcome_event import OutcomeEvent, Status
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.core.request import Identity, Part
from worker.core.retry import RetryPolicy
from worker.core.send_result import (
    Missed,
    NotSent,
    Refused,
    Scope,
    SendResult,
    Sent,
    Throttled,
    Unknown,
)
from worker.core.verification import Listed, ListedMessage
from worker.gate.open_gate import WholeGate
from worker.pipeline.admit import Admitter
from worker.pipeline.drain import Drain
from worker.pipeline.permits import Permits
from worker.pipeline.process import Process, Steps
from worker.pipeline.read import Reader
from worker.pipeline.second_chance import SecondChance
from worker.pipeline.send import Sender
from worker.pipeline.settle import Settler
from worker.pipeline.verify import Verifier
from worker.ports import Departure

CONFIRM_S = 0.002


class Fate(StrEnum):
    """What befalls a call to the API."""

    SENT = "sent"
    NEARLY_THROTTLED = "sent, but the limit is nearly used up"
    TAKEN_UNKNOWN = "taken, and the answer lost"
    NOT_TAKEN_UNKNOWN = "lost on the way"
    NOT_SENT = "not sent"
    THROTTLED_ACCOUNT = "throttled account"
    THROTTLED_APP = "throttled app"
    THROTTLED_CONVERSATION = "throttled conversation"
    REFUSED_ACCOUNT = "refused account"
    REFUSED_MESSAGE = "refused message"
    TAKEN_AND_DIES = "taken, and the worker dies"
    DIES = "the worker dies before a byte leaves"


DEADLY = (Fate.DIES, Fate.TAKEN_AND_DIES)
_THROTTLES = {
    Fate.THROTTLED_ACCOUNT: Scope.ACCOUNT,
    Fate.THROTTLED_APP: Scope.APP,
    Fate.THROTTLED_CONVERSATION: Scope.CONVERSATION,
}
_UNHEARD = {Fate.NOT_SENT, Fate.DIES, Fate.NOT_TAKEN_UNKNOWN}
_TAKEN = {Fate.SENT, Fate.NEARLY_THROTTLED, Fate.TAKEN_UNKNOWN, Fate.TAKEN_AND_DIES}


@dataclass(frozen=True, slots=True)
class Call:
    """How one call will go. `asked_s` is the API's own estimate, where it gives one."""

    fate: Fate = Fate.SENT
    late_s: float = 0.0
    took_s: float = 0.05
    asked_s: float | None = None


class Worker(Protocol):
    """As much of a worker as its environment sees."""

    gate: WatchedGate
    is_alive: bool

    def die(self) -> None: ...


@dataclass
class Api:
    """Takes messages; `plans` says how the next calls of an account go."""

    watch: Watch
    plans: dict[str, deque[Call]] = field(default_factory=lambda: defaultdict(deque))
    taken: dict[str, list[ListedMessage]] = field(default_factory=lambda: defaultdict(list))

    async def send(self, worker: Worker, account: Account, part: Part, latest: float) -> SendResult:
        plans, loop = self.plans[account.id], asyncio.get_running_loop()
        plan = plans.popleft() if plans else Call()
        await lapse(plan.late_s)
        if loop.time() > latest:
            return Missed()
        grant, number = self._grant_for(account, part)
        if grant is None:
            self.watch.faults.append(f"{part.body} calls without a grant")
            return Missed()
        self.watch.calls.begin(grant, number, now=loop.time(), is_heard=plan.fate not in _UNHEARD)
        if plan.fate is Fate.DIES:
            self.watch.calls.unresolved.discard((grant.request.key, number))
        elif plan.fate in _TAKEN:
            self._take(account, part, f"{grant.request.id}/{number}")
            self.watch.openings.taken(grant.request, account, number, now=loop.time())
        if plan.fate in DEADLY:
            worker.die()
        await lapse(plan.took_s)
        result = self._result(account, part, plan)
        self.watch.calls.end(grant, number, result)
        if isinstance(result, Sent) and worker.is_alive:
            self.watch.openings.heard(grant.request)
        return result

    def _grant_for(self, account: Account, part: Part) -> tuple[Grant | None, int]:
        """Find whose part it is and which; a disclosure says nothing of that."""
        label = label_of(part)
        if label != LAPSE.text:
            request_id, _, number = label.rpartition("/")
            return self.watch.granted.get((account.id, request_id)), int(number)
        conversation = (account.id, part.body["recipient"]["id"])
        for grant in self.watch.granted.values():
            if grant.request.conversation == conversation:
                return grant, OPENING
        return None, OPENING

    async def recent(
        self, account: Account, user_id: str, *, permit: Callable[[], Awaitable[None]]
    ) -> Listed:
        await permit()
        messages = self.taken[f"{account.id}/{user_id}"]
        return Listed(tuple(reversed(messages[-20:])), 1, has_older=len(messages) > 20)

    def _take(self, account: Account, part: Part, label: str) -> None:
        now, person = asyncio.get_running_loop().time(), part.body["recipient"]["id"]
        messages = self.taken[f"{account.id}/{person}"]
        text = part.body["message"].get("text")
        attachments = () if text else (None,)
        message_id = f"{label}:{len(messages)}"
        messages.append(ListedMessage(message_id, floor(now), account.id, text, attachments))

    def _result(self, account: Account, part: Part, plan: Call) -> SendResult:
        person = part.body["recipient"]["id"]
        last = self.taken[f"{account.id}/{person}"][-1:]
        throttle = _THROTTLES.get(plan.fate)
        if throttle is not None:
            return Throttled(throttle, ERROR, plan.asked_s)
        match plan.fate:
            case Fate.SENT:
                return Sent(last[0].id, person)
            case Fate.NEARLY_THROTTLED:
                return Sent(last[0].id, person, Throttled(Scope.ACCOUNT, ERROR, plan.asked_s))
            case Fate.NOT_SENT:
                return NotSent(ERROR)
            case Fate.REFUSED_ACCOUNT:
                return Refused(Scope.ACCOUNT, ERROR)
            case Fate.REFUSED_MESSAGE:
                return Refused(Scope.MESSAGE, ERROR)
            case _:
                return Unknown(ERROR)


def label_of(part: Part) -> str:
    """Each part says in its body which one it is: "<request id>/<number>"."""
    message = part.body["message"]
    text: str = message["text"] if "text" in message else message["attachment"]["payload"]["url"]
    return text.removeprefix("https://x.test/")


class SimulatedWorker:
    """The real pipeline on a watched gate. `stop` ends what must not outlive it."""

    def __init__(self, site: "Site", name: str, gate: WholeGate, stop: Callable[[], None]) -> None:
        self.name, self._site, self._stop = name, site, stop
        self.is_alive = True
        self.gate = WatchedGate(gate, site.watch, name)
        self.drain = Drain()
        self.unsettled: dict[object, Delivery] = {}
        # In the order they came, so that the same events always lead to the same end.
        self._tasks: dict[asyncio.Task[None], None] = {}
        policy, clock = RetryPolicy(max_attempts=4), site.clock
        settler = Settler(self.gate, self, self, clock, FakeObserver())
        self._process = Process(
            Steps(
                Reader(site.validator, clock),
                Admitter(site.accounts, self.gate, self.drain),
                Verifier(site.api, self.gate, self.gate, clock, policy=policy),
                Sender(
                    self,
                    self.gate,
                    clock,
                    self.drain,
                    SecondChance(site.accounts, clock),
                    policy=policy,
                ),
                settler,
                settler.refuse,
            ),
            Permits(50),
            now=clock.now,
            on_mishap=lambda _, bug: site.watch.faults.append(f"a bug: {bug!r}"),
        )

    def take(self, delivery: Delivery) -> None:
        self.unsettled[delivery.receipt] = delivery
        task = self._site.loop.create_task(self._process(delivery))
        self._tasks[task] = None
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and task.exception() is not None:
            self._site.watch.faults.append(f"a delivery was not settled: {task.exception()!r}")

    def die(self) -> None:
        """Without a word: the broker gives what it had to the others."""
        if self.is_alive:
            self.is_alive = False
            self.gate.died()
            self._stop()
            for task in self._tasks:
                task.cancel()
            self._site.lost(self)

    async def send(
        self,
        account: Account,
        part: Part,
        *,
        tag: object,
        may_have_gone: bool,
        departure: Departure | None = None,
    ) -> SendResult:
        assert departure is not None, "a slot has an end"
        return await self._site.api.send(self, account, part, departure.latest)

    async def park(self, delivery: Delivery, progress: Progress, *, delay_s: float) -> None:
        await self._published()
        self._site.park(delivery, progress, delay_s)

    async def bury(self, delivery: Delivery, dead: Dead, identity: Identity) -> None:
        await self._published()
        self._site.dead.append((delivery, dead))

    async def announce(self, event: OutcomeEvent, deliveries: Sequence[Delivery]) -> None:
        await self._published()
        self._site.announced(event)

    async def _published(self) -> None:
        if self._site.deaths_at_publish:
            self._site.deaths_at_publish -= 1
            self.die()
        await lapse(CONFIRM_S)

    async def ack(self, delivery: Delivery) -> None:
        del self.unsettled[delivery.receipt]

    async def hand_back(self, delivery: Delivery) -> None:
        del self.unsettled[delivery.receipt]
        self._site.deliver(delivery._replace(redelivered=True))


class Site:
    """Everything around the gate; `returns` says how late parked copies come back (None: never)."""

    def __init__(
        self,
        loop: VirtualLoop,
        clock: LoopClock,
        start: Callable[["Site", str], SimulatedWorker],
        *,
        workers: int,
    ) -> None:
        self.loop, self.clock, self._start = loop, clock, start
        self.watch = Watch(clock.now)
        self.api = Api(self.watch)
        self.accounts = FakeAccounts()
        self.validator = RequestValidator()
        self.returns: deque[float | None] = deque()
        self.deaths_at_publish = 0
        self.dead: list[tuple[Delivery, Dead]] = []
        self.published: list[Delivery] = []
        # Requests whose end somebody waits for.
        self.waiting: set[tuple[str, str]] = set()
        # Parked copies that somebody deleted.
        self.gone = 0
        self._turn = 0
        self._names = iter(range(1_000_000))
        self.workers = [self._start(self, f"w{next(self._names)}") for _ in range(workers)]

    def publish(self, delivery: Delivery, key: tuple[str, str]) -> None:
        self.published.append(delivery)
        self.waiting.add(key)
        self.deliver(delivery)

    def letters(self) -> list[tuple[Delivery, Dead]]:
        """Dead letters that may be put back; an invalid one is for its producer to mend."""
        return [letter for letter in self.dead if letter[1].reason is not Reason.INVALID]

    def put_back(self, delivery: Delivery) -> None:
        """Somebody returns a dead letter; what was not sent may run again."""
        key = self.key_of(delivery)
        for ended, status in list(self.watch.ended.items()):
            if ended[0] == key and status is not Status.SENT:
                del self.watch.ended[ended]
        self.waiting.add(key)
        self.deliver(delivery)

    def deliver(self, delivery: Delivery) -> None:
        willing = [each for each in self.workers if not each.drain.is_draining]
        self._turn += 1
        willing[self._turn % len(willing)].take(delivery._replace(receipt=self._turn))

    def park(self, delivery: Delivery, progress: Progress, delay_s: float) -> None:
        late_s = self.returns.popleft() if self.returns else 0.0
        if late_s is None:
            self.waiting.discard(self.key_of(delivery))
            self.gone += 1
            return
        copy = Delivery(
            delivery.body,
            delivery.queue,
            delivery.lane,
            redelivered=False,
            properties=delivery.properties,
            progress=progress._replace(is_republished=True),
        )
        self.loop.call_later(max(0.0, delay_s) + late_s, self.deliver, copy)

    def lost(self, worker: SimulatedWorker) -> None:
        """A worker died: another one takes its place, and its deliveries come again."""
        self._replace(worker)
        for delivery in worker.unsettled.values():
            self.loop.call_soon(self.deliver, delivery._replace(redelivered=True))

    def retire(self, index: int) -> None:
        """A worker stops in order: it drains while another one works already."""
        worker = self.workers[index % len(self.workers)]
        worker.drain.begin()
        self._replace(worker)

    def _replace(self, worker: SimulatedWorker) -> None:
        if worker in self.workers:
            self.workers.remove(worker)
            self.workers.append(self._start(self, f"w{next(self._names)}"))

    def announced(self, event: OutcomeEvent) -> None:
        assert event.id is not None
        assert event.account_id is not None
        self.waiting.discard((event.account_id, event.id))
        for number, message_id in enumerate(event.message_ids):
            if not str(message_id).startswith(f"{event.id}/{number}:"):
                self.watch.faults.append(f"part {number} of {event.id} is said to be {message_id}")
        opening = event.disclosure_id
        if opening is not None and not opening.startswith(f"{event.id}/{OPENING}:"):
            self.watch.faults.append(f"the disclosure of {event.id} is said to be {opening}")
        if event.status is Status.SENT and not event.message_ids:
            self.watch.faults.append(f"{event.id} was sent, and nobody knows what")

    @staticmethod
    def key_of(delivery: Delivery) -> tuple[str, str]:
        document = orjson.loads(delivery.body)
        return document["account_id"], document["id"]
