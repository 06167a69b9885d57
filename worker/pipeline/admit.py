"""Step 2: may it go now? Finds the account and its deadline, then asks the gate once.

The files of who wants it are looked at first: no permit and no slot is held meanwhile.
"""

from worker.core.admission import Closed, Doubtful, Go, NotYet
from worker.core.admitted import outcome_of_admission
from worker.core.disclosure import preceded
from worker.core.outcome import HandedBack, Outcome
from worker.core.window import deadline_of
from worker.pipeline.check_media import MediaCheck, is_due, is_untouched, refused
from worker.pipeline.drain import Drain
from worker.pipeline.in_flight import Attempt
from worker.ports import Accounts, Gate


class Admitter:
    """Gives `Go`, `Doubtful`, or the outcome of a pass that may not go."""

    def __init__(
        self, accounts: Accounts, gate: Gate, drain: Drain, media: MediaCheck | None = None
    ) -> None:
        self._accounts = accounts
        self._media = media
        self._gate = gate
        self._drain = drain

    async def __call__(self, attempt: Attempt) -> Go | Doubtful | Outcome:
        if self._drain.is_draining:
            return HandedBack(attempt.progress)
        request = attempt.request
        found = await self._accounts.find(request.account_id)
        if isinstance(found, NotYet):
            return outcome_of_admission(found, attempt.progress)
        attempt.account = found
        attempt.deadline = deadline_of(request, attempt.account)
        if attempt.progress.sent:
            attempt.request = preceded(request, found, attempt.progress)
        problems = await self._media(attempt) if self._media and is_due(attempt) else ()
        await attempt.permit.take()
        if self._drain.is_draining:
            return HandedBack(attempt.progress)
        admission = await self._gate.admit(attempt.ask)
        if isinstance(admission, Closed) and await self._is_mended(attempt):
            admission = await self._gate.admit(attempt.ask)
        if isinstance(admission, Go | Doubtful):
            attempt.is_in_our_hands = True
            attempt.progress = admission.progress
            attempt.request = preceded(attempt.request, attempt.account, attempt.progress)
            if problems and isinstance(admission, Go) and is_untouched(admission.progress):
                # Only now: the ledger knows it, and answers it again if it went before.
                attempt.is_slot_unused = True
                return refused(problems, admission.progress)
            return admission
        return outcome_of_admission(admission, attempt.progress)

    async def _is_mended(self, attempt: Attempt) -> bool:
        """Whether the account of a dead letter that was put back has a new token by now.

        Who stores a token replays at once; others find it a second later, and need not wait.
        """
        if attempt.account is None or attempt.progress.returned_from is None:
            return False
        attempt.permit.give_back()
        renewed = await self._accounts.renewed(attempt.account)
        if renewed is None:
            return False
        attempt.account = renewed
        await attempt.permit.take()
        return True
