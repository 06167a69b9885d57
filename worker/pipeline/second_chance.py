"""Refusals that are no last word: the token was just replaced, or the message may be tagged."""

import asyncio

from worker.core.account import Account
from worker.core.send_result import Refused
from worker.core.window import tag_after_refusal
from worker.pipeline.in_flight import Attempt
from worker.ports import Accounts, Clock


class SecondChance:
    """Says whether a call that was refused, before acceptance, is worth making once more.

    Each kind once in a pass: an API that refuses all the same means it. While it is being found
    out whether an account has a new token, nobody else calls with the old one.
    """

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock
        self._doubts: dict[str, asyncio.Event] = {}

    async def __call__(self, attempt: Attempt, refused: Refused) -> bool:
        """Put what the next call takes into the attempt, if there is to be one.

        If there is not, `decide` is to be called once the account is closed.
        """
        if refused.is_for_the_token:
            return await self._has_new_token(attempt)
        return self._may_be_tagged(attempt, refused)

    def decide(self, attempt: Attempt) -> None:
        """End the doubt that a refused token has raised about the attempt's account."""
        doubt = self._doubts.pop(attempt.request.account_id, None)
        if doubt is not None:
            doubt.set()

    async def no_doubt(self, attempt: Attempt) -> None:
        """Wait until it is known which token the attempt's account has."""
        account_id = attempt.request.account_id
        while (doubt := self._doubts.get(account_id)) is not None:
            attempt.permit.give_back()
            await doubt.wait()
            found = await self._accounts.find(account_id)
            if isinstance(found, Account):
                attempt.account = found

    async def _has_new_token(self, attempt: Attempt) -> bool:
        assert attempt.account is not None, "a call was made for it"
        if attempt.has_new_token:
            return False
        self._doubts.setdefault(attempt.account.id, asyncio.Event())
        # Looking takes a moment, and others may call meanwhile.
        attempt.permit.give_back()
        found = await self._accounts.renewed(attempt.account)
        if found is None:
            return False
        attempt.account, attempt.has_new_token = found, True
        return True

    def _may_be_tagged(self, attempt: Attempt, refused: Refused) -> bool:
        if attempt.tag:
            return False
        attempt.tag = tag_after_refusal(
            refused, attempt.request, attempt.account, now=self._clock.now()
        )
        return bool(attempt.tag)
