"""`igsend accounts refresh`: new tokens for those that end soon, put where the old ones were.

Made for a CronJob: safe to run twice, one at a time, and it asks the API for nothing that it then
could not store.
"""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import orjson
import typer

from worker.accounts.reading import AccountsError, token_from
from worker.accounts.replacing import BusyError, CannotWriteError, only_one
from worker.accounts.writing import checked_place, lock_of
from worker.cli.account_source import check_ids, path_of, read_accounts
from worker.cli.failure import CommandFailed, config_from_environment
from worker.cli.phrases import with_codes
from worker.config import Config
from worker.core.account import Account
from worker.core.progress import rfc3339
from worker.core.send_result import GraphError
from worker.core.token_life import DAY_S, Due, Fresh, due_of
from worker.graph.tokens import Refresher

_MEANINGS = {
    Due.DUE: "due",
    Due.NOT_DUE: "not due",
    Due.TOO_YOUNG: "not due: the API refreshes no token that is younger than 24 hours",
    Due.UNKNOWN: "nobody knows when its token ends: refresh it once by naming it",
    Due.EXPIRED: "its token has ended and cannot be refreshed: a person must log in again",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one account; `result` is refreshed, failed or a value of Due."""

    account_id: str
    result: str
    expires_at: float | None
    meaning: str

    @property
    def has_failed(self) -> bool:
        return self.result in {"failed", Due.EXPIRED}


def refresh(
    accounts: Annotated[
        list[str] | None,
        typer.Argument(help="Ids; all whose end is known to be near if none is given."),
    ] = None,
    within_days: Annotated[
        float, typer.Option(min=0, max=60, help="Tokens that end within so many days are due.")
    ] = 10,
    dry_run: Annotated[bool, typer.Option(help="Only say what would be refreshed.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Refresh the tokens that are due, and store the new ones; exit 1 when one fails."""
    names = accounts or []
    check_ids(names)
    config = config_from_environment()
    source = path_of(config)
    options = _Options(names, within_days * DAY_S, dry_run)
    try:
        if dry_run:
            counts, was_stopped = asyncio.run(_refresh(config, source, options, json=json))
        else:
            # Before the accounts are read: what the one before has stored is known then.
            with only_one(lock_of(source)):
                counts, was_stopped = asyncio.run(_refresh(config, source, options, json=json))
    except (CannotWriteError, BusyError) as error:
        raise CommandFailed(str(error)) from None
    if was_stopped:
        raise CommandFailed("stopped by a signal; the accounts not named above are as they were")
    failed = counts["failed"] + counts[Due.EXPIRED]
    if failed:
        raise CommandFailed(f"{failed} of {counts.total()} accounts failed")


@dataclass(frozen=True, slots=True)
class _Options:
    names: Sequence[str]
    within_s: float
    dry_run: bool


async def _refresh(
    config: Config, source: Path, options: _Options, *, json: bool
) -> tuple[Counter[str], bool]:
    """Count what became of the accounts, and say whether a signal ended it before the last."""
    read = await read_accounts(config)
    # Between the API's answer and the file a new token is nowhere but here: that is not broken off.
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    counts: Counter[str] = Counter()
    if read.problem is not None and not options.names:
        typer.echo(f"igsend: not usable: {read.problem}", err=True)
        counts["failed"] += 1
    async for finding in _findings(config, source, read.chosen(options.names), options):
        counts[finding.result] += 1
        if json:
            typer.echo(_document(finding))
        elif options.names or finding.result not in {Due.NOT_DUE, Due.UNKNOWN}:
            typer.echo(_line(finding))
        if stop.is_set():
            break
    if not json and not options.names:
        typer.echo(_summary(counts))
    return counts, stop.is_set()


async def _findings(
    config: Config, source: Path, accounts: Sequence[Account], options: _Options
) -> AsyncIterator[Finding]:
    """Refresh one account after the other: a day of work for none, and the API is not pressed."""
    timeout_s = config.connect_timeout_s + config.text_timeout_s
    async with Refresher(config.graph_url, timeout_s=timeout_s) as refresher:
        for account in sorted(accounts, key=lambda each: each.expires_at or float("inf")):
            due = due_of(
                account,
                now=time.time(),
                within_s=options.within_s,
                is_named=account.id in options.names,
            )
            if due is not Due.DUE or options.dry_run:
                yield Finding(account.id, due, account.expires_at, _MEANINGS[due])
            else:
                yield await _refreshed(refresher, source, account)


async def _refreshed(refresher: Refresher, source: Path, account: Account) -> Finding:
    known = Fresh(account.token, account.expires_at)
    try:
        # Before the API is asked: a new token that cannot be stored may be the last that works.
        place = checked_place(source, account.id, known)
        fresh = await refresher.refreshed(account.token)
        if isinstance(fresh, GraphError):
            meaning = with_codes(fresh.meaning, fresh.code, fresh.subcode)
            return Finding(account.id, "failed", account.expires_at, f"{meaning}; nothing changed")
        token_from(fresh.token.reveal, where="the new token of the API")
        place.store(fresh)
    except AccountsError as error:
        return Finding(account.id, "failed", account.expires_at, str(error))
    return Finding(account.id, "refreshed", fresh.expires_at, "refreshed")


def _document(finding: Finding) -> bytes:
    ends = None if finding.expires_at is None else rfc3339(finding.expires_at)
    problem = finding.meaning if finding.has_failed else None
    return orjson.dumps(
        {
            "account_id": finding.account_id,
            "result": finding.result,
            "expires_at": ends,
            "problem": problem,
        }
    )


def _line(finding: Finding) -> str:
    verdict = "fail" if finding.has_failed else "ok"
    ends = f", ends {rfc3339(finding.expires_at)}" if finding.expires_at is not None else ""
    return f"{verdict:4}  {finding.account_id}: {finding.meaning}{ends}"


def _summary(counts: Counter[str]) -> str:
    parts = [f"{count} {name.replace('_', ' ')}" for name, count in sorted(counts.items())]
    return ", ".join(parts) or "no accounts"
