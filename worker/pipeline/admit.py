"""Step 2: may it go now? Finds the account and its deadline, then asks the gate once."""

from worker.core.admission import Doubtful, Go
from worker.core.admitted import outcome_of_admission
from worker.core.outcome import HandedBack, Outcome
from worker.core.window import deadline_of
from worker.pipeline.drain import Drain
from worker.pipeline.in_flight import Attempt
from worker.ports import Accounts, Gate


class Admitter:
    """Gives `Go`, `Doubtful`, or the outcome of a pass that may not go."""

    def __init__(self, accounts: Accounts, gate: Gate, drain: Drain) -> None:
        self._accounts = accounts
        self._gate = gate
        self._drain = drain

    async def __call__(self, attempt: Attempt) -> Go | Doubtful | Outcome:
        if self._drain.is_draining:
            return HandedBack(attempt.progress)
        request = attempt.request
        attempt.account = await self._accounts.find(request.account_id)
        attempt.deadline = deadline_of(request, attempt.account)
        await attempt.permit.take()
        if self._drain.is_draining:
            return HandedBack(attempt.progress)
        admission = await self._gate.admit(attempt.ask)
        if isinstance(admission, Go | Doubtful):
            attempt.is_in_our_hands = True
            attempt.progress = admission.progress
            return admission
        return outcome_of_admission(admission, attempt.progress)
