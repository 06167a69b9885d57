"""The source of accounts, and tokens that end."""

import os
import time

from worker.accounts.on_demand import OnDemandAccounts
from worker.accounts.opening import accounts_of
from worker.accounts.source import AccountsError, AccountSource
from worker.cli.examine.line import Line, Verdict
from worker.config import Config
from worker.core.request import AccountId
from worker.core.token_life import WARN_WITHIN_S, survey_of


async def accounts(config: Config) -> list[Line]:
    source = accounts_of(config, environment=os.environ)
    if source is None:
        advice = (
            "set IGSEND_ACCOUNTS to a directory of token files, a .toml or .json file, or a URL"
        )
        return [Line(Verdict.FAIL, "accounts", "no source is set", advice)]
    if isinstance(source, OnDemandAccounts):
        return [await _on_demand(source)]
    try:
        await source.load()
    except AccountsError as error:
        advice = "put a file per account there, named by its id, or entries; it is read again"
        return [Line(Verdict.FAIL, "accounts", str(error), advice)]
    if source.last_error is not None:
        found = f"{source.count} read; {source.last_error}"
        return [
            Line(Verdict.WARN, "accounts", found, "mend it; the last good entry stays in force"),
            _tokens(source),
        ]
    found = f"{source.count} read from {source.shown}"
    return [Line(Verdict.OK, "accounts", found), _tokens(source)]


def _tokens(source: AccountSource) -> Line:
    now = time.time()
    survey = survey_of(source.accounts.values(), now=now)
    ended = [token.account_id for token in survey.near if token.expires_at <= now]
    if ended:
        found = f"{len(ended)} have ended, {ended[0]} first"
        return Line(Verdict.FAIL, "tokens", found, "a person must log in again: store a new token")
    if survey.near:
        found = f"{len(survey.near)} end within {WARN_WITHIN_S / 86400:.0f} days"
        return Line(Verdict.WARN, "tokens", found, "igsend accounts refresh")
    return Line(Verdict.OK, "tokens", "none is known to end soon")


async def _on_demand(source: OnDemandAccounts) -> Line:
    """Ask for an account that nobody has: any answer shows that the source is there."""
    try:
        await source.find(AccountId("0"))
    finally:
        await source.close()
    if source.last_error is not None:
        advice = "mend it, or IGSEND_ACCOUNTS; requests wait until it answers"
        return Line(Verdict.FAIL, "accounts", source.last_error, advice)
    return Line(Verdict.OK, "accounts", f"{source.shown} answers")
