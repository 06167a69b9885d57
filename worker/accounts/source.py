"""The accounts as their source has them now: read at start, and again when it changes."""

import asyncio
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic

from worker.accounts.directory import AccountDirectory
from worker.accounts.file import AccountFile
from worker.accounts.reading import AccountsError, Reading, sentence, why
from worker.core.account import Account
from worker.core.request import AccountId

__all__ = ["AccountSource", "AccountsError"]

# How often the source is looked at, and how often at most because of unknown ids.
LOOK_EVERY_S = 1.0
LOOK_AT_MOST_EVERY_S = 0.5
# A look at a very large source takes a while; so many times as long it then has peace.
REST_AFTER_LOOK = 20.0
# But a change is to be seen within five seconds, also among a hundred thousand accounts.
LONGEST_REST_S = 2.5
REST_AFTER_LOOK_FOR_UNKNOWN = 4.0


class AccountSource:
    """Implements the Accounts port.

    A reading that fails leaves the last good accounts in force, and so does an entry that
    becomes unusable; `last_error` says why. What is gone from the source is gone.
    `loaded_at` is when the accounts in force were read, in unix seconds.
    """

    def __init__(
        self,
        path: Path,
        *,
        environment: Mapping[str, str],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self.shown = str(path)
        self._environment = environment
        self._now = now
        self._source: AccountDirectory | AccountFile | None = None
        self._reading = Reading({})
        self._looked_at = 0.0
        self._look_took_s = 0.0
        self._looking = asyncio.Lock()
        self.last_error: str | None = None
        self.loaded_at: float | None = None

    @property
    def accounts(self) -> Mapping[str, Account]:
        """All accounts by id, as they were when the source was last read."""
        return self._reading.accounts

    @property
    def count(self) -> int:
        return len(self._reading.accounts)

    @property
    def trouble(self) -> str | None:
        """Say why nothing can be sent."""
        return None if self.count else "there are no accounts; look at IGSEND_ACCOUNTS"

    async def close(self) -> None:
        """Nothing is kept open between two looks."""

    async def load(self) -> None:
        """Read for the first time; raises AccountsError when no account can be used."""
        self._source = self._open()
        began = monotonic()
        reading = await asyncio.to_thread(self._source.read)
        if not reading.accounts:
            found = sentence(reading.problems) or "it holds none"
            raise AccountsError(f"IGSEND_ACCOUNTS={self._path} has no usable account: {found}")
        self._take(reading, began=began)

    async def watch(self) -> None:
        """Keep up with the source until cancelled."""
        while True:
            rest_s = min(REST_AFTER_LOOK * self._look_took_s, LONGEST_REST_S)
            await asyncio.sleep(max(LOOK_EVERY_S, rest_s))
            await self._look_after(monotonic())

    async def find(self, account_id: AccountId) -> Account | None:
        """Give the account; None only if a look that began after the question did not find it."""
        account = self._reading.accounts.get(account_id)
        if account is None:
            await self._look_after(monotonic())
            account = self._reading.accounts.get(account_id)
        return account

    async def renewed(self, account: Account) -> Account | None:
        """Give the account if it has another token now; looks unless that is known already."""
        known = self._reading.accounts.get(account.id)
        if known is None or known.token == account.token:
            await self._look_after(monotonic())
            known = self._reading.accounts.get(account.id)
        return None if known is None or known.token == account.token else known

    def _open(self) -> AccountDirectory | AccountFile:
        wanted = "must be a directory of token files, or a file that ends in .toml or .json"
        try:
            is_directory = stat.S_ISDIR(self._path.stat().st_mode)
        except OSError as error:
            raise AccountsError(
                f"IGSEND_ACCOUNTS={self._path}: {why(error)}; it {wanted}"
            ) from None
        if is_directory:
            return AccountDirectory(self._path)
        if self._path.suffix in {".toml", ".json"}:
            return AccountFile(self._path, environment=self._environment)
        raise AccountsError(f"IGSEND_ACCOUNTS={self._path} {wanted}")

    async def _look_after(self, moment: float) -> None:
        """Look at the source; all who ask before a look begins share it."""
        async with self._looking:
            if self._looked_at > moment or self._source is None:
                return
            rest_s = min(REST_AFTER_LOOK_FOR_UNKNOWN * self._look_took_s, LONGEST_REST_S)
            rest_s = max(LOOK_AT_MOST_EVERY_S, rest_s)
            await asyncio.sleep(max(0.0, self._looked_at + rest_s - monotonic()))
            began = monotonic()
            try:
                reading = await asyncio.to_thread(self._source.read)
            except AccountsError as error:
                self.last_error = str(error)
                reading = None
            self._take(reading, began=began)

    def _take(self, reading: Reading | None, *, began: float) -> None:
        self._looked_at = began
        self._look_took_s = monotonic() - began
        if reading is None:
            return
        if reading is not self._reading:
            self._reading = reading
            self.loaded_at = self._now()
        self.last_error = sentence(reading.problems)
