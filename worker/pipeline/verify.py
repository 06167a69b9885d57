"""Step 2b: a request whose earlier attempt left no result. Never sent again before it is clear."""

from worker.core.account import Account
from worker.core.admission import Doubtful, Go, NotYet
from worker.core.admitted import outcome_of_admission
from worker.core.outcome import Completed, Outcome, Postponed, Wait
from worker.core.progress import Progress
from worker.core.request import OnUnknown, SendRequest
from worker.core.retry import RetryPolicy
from worker.core.send_result import Sent
from worker.core.verdict import outcome_of_doubt
from worker.core.verification import Found, Unlisted, can_be_verified, finding_of
from worker.pipeline.in_flight import Attempt
from worker.ports import Clock, Conversations, Gate, ReadLimit

# How soon a check that found no slot in the limit of the Conversations API is tried again.
NO_SLOT_S = 2.0


class Verifier:
    """Asks the conversation whether the message went, at most twice; then a person has to look."""

    def __init__(
        self,
        conversations: Conversations,
        limit: ReadLimit,
        gate: Gate,
        clock: Clock,
        *,
        policy: RetryPolicy,
    ) -> None:
        self._conversations = conversations
        self._limit = limit
        self._gate = gate
        self._clock = clock
        self._policy = policy

    async def __call__(self, attempt: Attempt, doubtful: Doubtful) -> Go | Outcome:
        progress, account = doubtful.progress, attempt.account
        part = attempt.request.parts[len(progress.sent)]
        since = progress.unknown_since
        if (
            not _is_wanted(attempt.request, progress)
            or account is None
            or since is None
            or not can_be_verified(part)
        ):
            return outcome_of_admission(doubtful, progress)
        due = since + self._policy.check_after_s
        if due > self._clock.now():
            return Postponed(due, Wait.VERIFY, progress)
        slot = await self._limit.read_slot(account)
        if slot is None:
            return Postponed(self._clock.now() + NO_SLOT_S, Wait.VERIFY, progress)
        permits = _Permits(self._limit, self._clock, account, slot)
        listing = await self._conversations.recent(
            account, part.body["recipient"]["id"], permit=permits.wait
        )
        if isinstance(listing, Unlisted):
            if listing.closes is not None:
                closed = await self._gate.close(attempt.ask, listing.closes)
                if isinstance(closed, NotYet):
                    return Postponed(closed.until, Wait.VERIFY, progress)
            return self._undecided(progress)
        own = frozenset(each for each in progress.sent if each is not None)
        known_ids = doubtful.known_ids | own
        finding = finding_of(part, listing, started_at=since, known_ids=known_ids)
        if isinstance(finding, Found):
            return await self._went(attempt, Sent(finding.message_id, finding.recipient_id))
        return self._undecided(progress)

    async def _went(self, attempt: Attempt, sent: Sent) -> Go | Outcome:
        """Go on behind the part that turned out to have gone."""
        attempt.progress = attempt.progress.with_part(sent)
        if len(attempt.progress.sent) == len(attempt.request.parts):
            return Completed(attempt.progress, self._clock.now())
        following = await self._gate.advance(attempt.ask)
        return outcome_of_admission(following, attempt.progress)

    def _undecided(self, progress: Progress) -> Outcome:
        return outcome_of_doubt(progress, policy=self._policy, now=self._clock.now())


def _is_wanted(request: SendRequest, progress: Progress) -> bool:
    """The producer wants it, or an operator does, who only ever looks: absence sends nothing."""
    return request.on_unknown is OnUnknown.VERIFY or progress.is_to_be_looked_for


class _Permits:
    """One slot in the limit of the Conversations API for each call; the first is taken already."""

    def __init__(self, limit: ReadLimit, clock: Clock, account: Account, slot: float) -> None:
        self._limit = limit
        self._clock = clock
        self._account = account
        self._slot: float | None = slot

    async def wait(self) -> None:
        while self._slot is None:
            self._slot = await self._limit.read_slot(self._account)
            if self._slot is None:
                await self._clock.sleep_until(self._clock.now() + NO_SLOT_S)
        await self._clock.sleep_until(self._slot)
        self._slot = None
