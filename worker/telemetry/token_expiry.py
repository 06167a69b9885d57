"""Tells of tokens that end soon: metrics, one warning a day for each account, and /status."""

import asyncio
import time
from collections.abc import Callable, Mapping

import structlog

from worker.core.account import Account
from worker.core.progress import rfc3339
from worker.core.token_life import DAY_S, NOTHING_KNOWN, Expiring, Survey, survey_of
from worker.telemetry.metrics import Metrics

LOOK_EVERY_S = 60.0
# Whole fleets of accounts are set up on one day, and end on one.
MOST_LINES = 20


class TokenExpiry:
    """Looks at all accounts once a minute."""

    def __init__(self, metrics: Metrics, *, now: Callable[[], float] = time.time) -> None:
        self._metrics = metrics
        self._now = now
        self._survey = NOTHING_KNOWN
        # When it was last told of an account whose token is near its end.
        self._told: dict[str, float] = {}

    async def watch(self, accounts: Callable[[], Mapping[str, Account]]) -> None:
        """Keep looking until cancelled."""
        while True:
            # A hundred thousand accounts take some milliseconds, which calls need not wait for.
            known, now = accounts(), self._now()
            self.take(await asyncio.to_thread(survey_of, known.values(), now=now))
            await asyncio.sleep(LOOK_EVERY_S)

    def take(self, survey: Survey) -> None:
        """Show the ends as they are now, and warn of those not warned of for a day."""
        self._survey = survey
        soonest = survey.soonest[0].expires_at if survey.soonest else float("inf")
        self._metrics.show_tokens(survey.within, soonest_end=soonest)
        now = self._now()
        new = [
            token
            for token in survey.near
            if now - self._told.get(token.account_id, -DAY_S) >= DAY_S
        ]
        near = {token.account_id for token in survey.near}
        self._told = {account_id: at for account_id, at in self._told.items() if account_id in near}
        self._told |= {token.account_id: now for token in new}
        self._warn(new, now)

    def status(self) -> dict[str, object]:
        """Give how many tokens end within which time, and the soonest few."""
        return {
            "ending_within": self._survey.within,
            "soonest": [
                {"account_id": token.account_id, "expires_at": rfc3339(token.expires_at)}
                for token in self._survey.soonest
            ],
        }

    def _warn(self, tokens: list[Expiring], now: float) -> None:
        log = structlog.get_logger()
        for token in tokens[:MOST_LINES]:
            log.warning(
                _EVENT if token.expires_at > now else _ENDED,
                account_id=token.account_id,
                expires_at=rfc3339(token.expires_at),
                days_left=round((token.expires_at - now) / DAY_S, 1),
            )
        if len(tokens) > MOST_LINES:
            log.warning(
                "more tokens end soon; igsend accounts check names them",
                accounts=len(tokens) - MOST_LINES,
            )


_EVENT = "token ends soon; igsend accounts refresh gets a new one"
_ENDED = "token has ended by its expires_at; a person must log in again"
