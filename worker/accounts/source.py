"""The accounts as their source has them now: read at start, and again when it changes."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from time import monotonic

from worker.accounts.directory import AccountDirectory
from worker.accounts.file import AccountFile
from worker.accounts.reading import AccountsError, Reading
from worker.core.account import Account
from worker.core.request import AccountId

__all__ = ["AccountSource", "AccountsError"]

# How often the source is looked at, and how often at most because of unknown ids.
LOOK_EVERY_S = 1.0
LOOK_AT_MOST_EVERY_S = 0.5


class AccountSource:
    """Implements the Accounts port.

    A reading that fails leaves the last good accounts in force; `last_error` says why, also
    when only some entries are unusable.
    """

    def __init__(self, path: Path, *, environment: Mapping[str, str]) -> None:
        self._path = path
        self._environment = environment
        self._source: AccountDirectory | AccountFile | None = None
        self._accounts: dict[str, Account] = {}
        self._looked_at = 0.0
        self._looking = asyncio.Lock()
        self.last_error: str | None = None

    @property
    def count(self) -> int:
        return len(self._accounts)

    async def load(self) -> None:
        """Read for the first time; raises AccountsError when nothing can be read."""
        if self._path.is_dir():
            self._source = AccountDirectory(self._path)
        elif self._path.suffix in {".toml", ".json"}:
            self._source = AccountFile(self._path, environment=self._environment)
        else:
            raise AccountsError(
                f"IGSEND_ACCOUNTS={self._path} must be a directory of token files, or a file "
                "that ends in .toml or .json"
            )
        self._take(await asyncio.to_thread(self._source.read))

    async def watch(self) -> None:
        """Keep up with the source until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self._look()

    async def find(self, account_id: AccountId) -> Account | None:
        """Give the account; an unknown id is looked for once more, so a new one works at once."""
        account = self._accounts.get(account_id)
        if account is None and monotonic() - self._looked_at > LOOK_AT_MOST_EVERY_S:
            await self._look()
            account = self._accounts.get(account_id)
        return account

    async def _look(self) -> None:
        asked_at = monotonic()
        async with self._looking:
            if self._looked_at > asked_at or self._source is None:
                return
            try:
                self._take(await asyncio.to_thread(self._source.read))
            except AccountsError as error:
                self.last_error = str(error)
                self._looked_at = monotonic()

    def _take(self, reading: Reading) -> None:
        self._accounts = reading.accounts
        self._looked_at = monotonic()
        shown = "; ".join(reading.problems[:3])
        more = len(reading.problems) - 3
        self.last_error = (f"{shown}; and {more} more" if more > 0 else shown) or None
