"""The requests in hand in this process. A redelivery joins the running attempt.

When a connection is lost the broker delivers again what is still being sent. The second
delivery must not start a second send: its tag gets the ack of the first one's work.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from worker.core.account import Account
from worker.core.ask import Ask
from worker.core.delivery import Delivery
from worker.core.progress import Progress
from worker.core.request import AccountId, RequestId, SendRequest
from worker.core.sendable import InHand, Standing
from worker.pipeline.permits import Permit


@dataclass(slots=True, eq=False)
class Attempt:
    """One request in hand, its deliveries (the first started it), and what is known of it.

    `progress` is kept up to date while parts are sent; `is_calling` is true between the first
    byte of a call and its classified answer. `api_s` is the time spent in calls, seconds.
    `is_in_our_hands` once the gate has put it there; `is_slot_unused` while a slot is reserved
    and no byte of its call has left. `tag` is the human agent tag from the call on that takes
    it; `has_new_token` after a refusal that a new token answered.
    """

    request: SendRequest
    deliveries: list[Delivery]
    progress: Progress
    started_at: float
    permit: Permit
    account: Account | None = None
    deadline: float | None = None
    is_in_our_hands: bool = False
    is_slot_unused: bool = False
    is_calling: bool = False
    api_s: float = 0.0
    api_calls: int = 0
    tag: Mapping[str, object] = field(default_factory=dict)
    has_new_token: bool = False

    @property
    def delivery(self) -> Delivery:
        """The delivery that started it."""
        return self.deliveries[0]

    @property
    def standing(self) -> Standing:
        """What it is doing."""
        if self.is_calling:
            return Standing.CALLING
        if self.permit.is_waiting:
            return Standing.NEXT if self.is_in_our_hands else Standing.UNASKED
        is_done = self.is_in_our_hands and not self.is_slot_unused
        return Standing.DONE if is_done else Standing.HELD

    @property
    def ask(self) -> Ask:
        """What it says when it asks the gate for the next part."""
        return Ask(
            self.request,
            self.account,
            self.progress,
            self.delivery.lane,
            deadline=self.deadline,
            waits=self.permit.give_back,
            is_spent=self.is_in_our_hands and not self.is_slot_unused,
        )


class InFlight:
    """All attempts of this process, by account and request id."""

    def __init__(self) -> None:
        self._attempts: dict[tuple[AccountId, RequestId], Attempt] = {}

    def __len__(self) -> int:
        return len(self._attempts)

    def running(self, request: SendRequest) -> Attempt | None:
        return self._attempts.get(request.key)

    def all(self) -> list[InHand]:
        """Look at each of them."""
        return [
            InHand(
                (first := attempt.deliveries[0]).queue,
                attempt.standing,
                attempt.started_at,
                attempt.request,
                first.lane,
                len(attempt.progress.sent),
            )
            for attempt in self._attempts.values()
        ]

    def add(self, attempt: Attempt) -> None:
        """Let redeliveries join the attempt, until it is removed."""
        self._attempts[attempt.request.key] = attempt

    def remove(self, attempt: Attempt) -> None:
        del self._attempts[attempt.request.key]
