"""Hand-written stand-ins for the ports; each records what it was asked to do."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from worker.core.account import Account
from worker.core.admission import NotYet
from worker.core.delivery import Delivery
from worker.core.kind import bucket_of
from worker.core.outcome import Dead, Wait
from worker.core.outcome_event import OutcomeEvent
from worker.core.progress import Progress
from worker.core.report import Report
from worker.core.request import AccountId, Identity, Part
from worker.core.send_result import SendResult, Sent
from worker.core.verification import Listed, Listing
from worker.ports import Departure

START = 1_800_000_000.0


class FakeClock:
    """Time that only `sleep_until` moves; chance that is always the same."""

    def __init__(self, *, jitter: float = 0.5) -> None:
        self.time = START
        self._jitter = jitter

    def now(self) -> float:
        return self.time

    async def sleep_until(self, moment: float) -> None:
        self.time = max(self.time, moment)
        await asyncio.sleep(0)

    def jitter(self) -> float:
        return self._jitter


@dataclass
class FakeAccounts:
    """Knows the accounts it was given."""

    known: dict[str, Account] = field(default_factory=dict)
    away_until: float | None = None

    async def find(self, account_id: AccountId) -> Account | NotYet | None:
        if self.away_until is not None:
            return NotYet(self.away_until, Wait.ACCOUNTS)
        return self.known.get(account_id)

    async def renewed(self, account: Account) -> Account | None:
        known = self.known.get(account.id)
        return None if known is None or known.token == account.token else known


@dataclass
class FakeGraph:
    """Answers from a script, then with success; `hold` keeps every call open until set."""

    script: list[SendResult | Exception] = field(default_factory=list)
    sent: list[tuple[str, Part, Mapping[str, object]]] = field(default_factory=list)
    may_have_gone: list[bool] = field(default_factory=list)
    hold: asyncio.Event | None = None
    called: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(
        self,
        account: Account,
        part: Part,
        *,
        tag: Mapping[str, object],
        may_have_gone: bool,
        departure: Departure | None = None,
    ) -> SendResult:
        self.may_have_gone.append(may_have_gone)
        assert departure is not None
        assert part.bucket == bucket_of(part.kind, {**part.body["recipient"]})
        self.sent.append((account.id, part, tag))
        self.called.set()
        departure.left()
        if self.hold is not None:
            await self.hold.wait()
        result = self.script.pop(0) if self.script else None
        if isinstance(result, Exception):
            raise result
        return result or Sent(f"mid-{len(self.sent)}", "6789012345")


@dataclass
class FakeConversations:
    """Shows what it was given; `asked` counts how often."""

    listing: Listing = field(default_factory=lambda: Listed((), 1))
    asked: int = 0

    async def recent(
        self, account: Account, user_id: str, *, permit: Callable[[], Awaitable[None]]
    ) -> Listing:
        assert account.id
        assert user_id
        await permit()
        self.asked += 1
        return self.listing


@dataclass
class FakePublisher:
    """Keeps what was published, in order, as (what, ...) tuples in `log` and by kind."""

    log: list[str] = field(default_factory=list)
    parked: list[tuple[Delivery, Progress, float]] = field(default_factory=list)
    buried: list[tuple[Delivery, Dead, Identity]] = field(default_factory=list)
    announced: list[tuple[OutcomeEvent, list[Delivery]]] = field(default_factory=list)
    before_announce: Callable[[], None] = lambda: None

    async def park(self, delivery: Delivery, progress: Progress, *, delay_s: float) -> None:
        self.log.append("park")
        self.parked.append((delivery, progress, delay_s))

    async def bury(self, delivery: Delivery, dead: Dead, identity: Identity) -> None:
        self.log.append("bury")
        self.buried.append((delivery, dead, identity))

    async def announce(self, event: OutcomeEvent, deliveries: Sequence[Delivery]) -> None:
        self.before_announce()
        self.log.append("announce")
        self.announced.append((event, list(deliveries)))


@dataclass
class FakeReceipts:
    """Shares the publisher's log so that tests see the order of publish and ack."""

    log: list[str]
    acked: list[Delivery] = field(default_factory=list)
    handed_back: list[Delivery] = field(default_factory=list)

    async def ack(self, delivery: Delivery) -> None:
        self.log.append("ack")
        self.acked.append(delivery)

    async def hand_back(self, delivery: Delivery) -> None:
        self.log.append("hand back")
        self.handed_back.append(delivery)


@dataclass
class FakeObserver:
    reports: list[Report] = field(default_factory=list)

    def observe(self, report: Report) -> None:
        self.reports.append(report)
