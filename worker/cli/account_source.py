"""The accounts that IGSEND_ACCOUNTS names, for commands: read once."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from worker.accounts.on_demand import OnDemandAccounts
from worker.accounts.opening import accounts_of
from worker.accounts.source import AccountsError
from worker.cli.failure import CommandFailed, UsageFailed
from worker.config import Config
from worker.core.account import Account


@dataclass(frozen=True, slots=True)
class Accounts:
    """What was read, and what is wrong with the rest of it."""

    by_id: Mapping[str, Account]
    problem: str | None

    def chosen(self, names: Sequence[str]) -> list[Account]:
        """Give those named, or all; raises CommandFailed when one is not there."""
        missing = [name for name in names if name not in self.by_id]
        if missing:
            known = f" ({self.problem})" if self.problem else ""
            raise CommandFailed(
                f"not among the usable accounts of IGSEND_ACCOUNTS: {', '.join(missing)}{known}"
            )
        return [self.by_id[name] for name in dict.fromkeys(names) or sorted(self.by_id)]


async def read_accounts(config: Config, only: Sequence[str] = ()) -> Accounts:
    """Read the source; with `only`, one that need not be listed is asked about those alone.

    Raises UsageFailed.
    """
    source = accounts_of(config, environment=os.environ)
    if source is None:
        raise UsageFailed(
            "IGSEND_ACCOUNTS is not set; give the directory, file or URL that the workers use"
        )
    try:
        if isinstance(source, OnDemandAccounts):
            for each in only or (None,):
                await source.listed(each)
        else:
            await source.load()
    except AccountsError as error:
        raise UsageFailed(str(error)) from None
    finally:
        await source.close()
    return Accounts(source.accounts, source.last_error)


def check_ids(names: Sequence[str]) -> None:
    """Raise UsageFailed for what cannot be an account's id."""
    for name in names:
        if not (name.isascii() and name.isdigit()):
            raise UsageFailed(f"{name!r} is not an account's numeric id")


def path_of(config: Config) -> Path:
    """Give the directory or file of the accounts; raises UsageFailed when it is neither."""
    place = "" if config.accounts is None else config.accounts.get_secret_value()
    if not place or "://" in place:
        raise UsageFailed(
            "IGSEND_ACCOUNTS must be a directory or a file for this: in a token service or Redis, "
            "whoever puts the tokens there refreshes them"
        )
    path = Path(place)
    if not path.exists():
        raise UsageFailed(f"IGSEND_ACCOUNTS={path}: there is no such directory or file")
    return path
