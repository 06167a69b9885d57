"""What the pipeline needs from the world, as small Protocols that the adapters fulfil."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from worker.core.account import Account
from worker.core.admission import Admission, Closed, NotYet
from worker.core.ask import Ask
from worker.core.delivery import Delivery
from worker.core.outcome import Dead, Outcome
from worker.core.outcome_event import OutcomeEvent
from worker.core.progress import Progress
from worker.core.report import Report
from worker.core.request import AccountId, Identity, Part, SendRequest
from worker.core.send_result import Refused, SendResult, Throttled
from worker.core.verification import Listing


class Departure(NamedTuple):
    """When a call may leave: by `latest` (unix seconds) or not at all.

    `left` is called as its first byte goes.
    """

    latest: float
    left: Callable[[], None]


class Clock(Protocol):
    """Time and chance."""

    def now(self) -> float:
        """Unix seconds."""
        ...

    async def sleep_until(self, moment: float) -> None:
        """Wait until `moment` (unix seconds); return at once when it has passed."""
        ...

    def jitter(self) -> float:
        """Give a fresh sample from [0, 1)."""
        ...


class Accounts(Protocol):
    """The accounts the worker may send for."""

    async def find(self, account_id: AccountId) -> Account | NotYet | None:
        """Give the account as its source describes it now; None when there is no such account.

        NotYet when the source cannot be asked; never for an account that was found before.
        Waits while it is being found out whether the account has another token.
        """
        ...

    async def renewed(self, account: Account) -> Account | None:
        """Look again: the account, if it has another token now than the one that was refused."""
        ...


class Gate(Protocol):
    """Limits, turns and cooldowns: who may send when (design 5)."""

    async def admit(self, ask: Ask) -> Admission:
        """Ask to send the next part: duplicate, closed, deadline, turn, rate, attempt record.

        May wait up to about two seconds. `Go` and `Doubtful` put the request into the hands of
        this worker, which must `Ledger.conclude` it; every other answer is on record already.
        """
        ...

    async def advance(self, ask: Ask) -> Admission:
        """Record the parts that went so far and ask for the next slot.

        Also when the last slot was missed: it is given back as far as that can be done.
        """
        ...

    def is_closed(self, account_id: AccountId) -> bool:
        """Whether the account was closed since its last slot was granted: the last look."""
        ...

    async def close(self, ask: Ask, result: Throttled | Refused) -> Closed | NotYet:
        """Close what `result` reaches: conversation, account or app, for all workers at once.

        NotYet says when to try again. A refusal that many accounts get at the same time is taken
        for a failure of the platform, and is NotYet too.
        """
        ...


class Ledger(Protocol):
    """What is remembered of each request: how far it came, how it ended."""

    async def conclude(
        self,
        request: SendRequest,
        outcome: Outcome,
        event: OutcomeEvent | None,
        *,
        account: Account | None = None,
        is_slot_unused: bool = False,
    ) -> None:
        """Write the result of the pass, before anything is published. Ends the attempt.

        `event` is given for a terminal outcome and answers every later duplicate. `account` is
        the one it was sent for, if it was.
        """
        ...

    async def settled(self, request: SendRequest) -> None:
        """Note that the outcome of a terminal `conclude` was published."""
        ...


class ReadLimit(Protocol):
    """The limit of the Conversations API."""

    async def read_slot(self, account: Account) -> float | None:
        """Reserve one call to the Conversations API: when (unix seconds); None if not soon."""
        ...


class Graph(Protocol):
    """The Instagram API."""

    async def send(
        self,
        account: Account,
        part: Part,
        *,
        tag: Mapping[str, object],
        may_have_gone: bool,
        departure: Departure | None = None,
    ) -> SendResult:
        """POST one part; every library failure becomes a result. Never retries by itself.

        A call that cannot leave in time is Missed.
        """
        ...


class Conversations(Protocol):
    """What the Conversations API shows of a conversation."""

    async def recent(
        self, account: Account, user_id: str, *, permit: Callable[[], Awaitable[None]]
    ) -> Listing:
        """List the newest messages with a person, in a few calls; awaits `permit` before each.

        Never raises: what goes wrong is a listing too.
        """
        ...


class MediaFiles(Protocol):
    """What lies behind the URLs that Meta would fetch."""

    async def objection(self, kind: str, url: str) -> str | None:
        """Say why Meta would certainly not take the file for an attachment of type `kind`.

        None when it may, or when that cannot be known. Soon, and never raises.
        """
        ...


class Publisher(Protocol):
    """Confirmed publishing. Each call returns when the broker has the message safely.

    Waits through lost connections; raises only when cancelled.
    """

    async def park(self, delivery: Delivery, progress: Progress, *, delay_s: float) -> None:
        """Send the delivery through the delay queues, back to the queue it came from."""
        ...

    async def bury(self, delivery: Delivery, dead: Dead, identity: Identity) -> None:
        """Publish the dead letter: body and properties untouched."""
        ...

    async def announce(self, event: OutcomeEvent, deliveries: Sequence[Delivery]) -> None:
        """Publish the outcome event, and to each reply address of `deliveries`."""
        ...


class Receipts(Protocol):
    """Settling deliveries on the channel they came from. A dead channel is no error."""

    async def ack(self, delivery: Delivery) -> None: ...

    async def hand_back(self, delivery: Delivery) -> None:
        """Give an untouched delivery to another worker."""
        ...


class Observer(Protocol):
    """Told once per pass how it went; logs and metrics read it."""

    def observe(self, report: Report) -> None: ...
