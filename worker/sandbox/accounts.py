"""Which token belongs to which account: from files, re-read when they change, and over HTTP.

What is set over HTTP wins over the files. Tokens are looked up, never shown.
"""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

from worker.sandbox.account_files import (
    AccountsError,
    SandboxAccount,
    Signature,
    read_accounts,
    signature_of,
)

# A look at the files costs a stat each; with very many files looks become rarer.
_LOOK_EVERY_S = 0.5
_SHARE_OF_TIME = 20


class AccountBook:
    """The accounts the sandbox takes calls from."""

    def __init__(
        self, path: Path | None = None, *, environment: Mapping[str, str] | None = None
    ) -> None:
        self._path = path
        self._environment = environment or {}
        # Set over HTTP; None stands for a revoked account.
        self._overlay: dict[str, SandboxAccount | None] = {}
        self._by_id: dict[str, SandboxAccount] = {}
        self._by_token: dict[str, SandboxAccount] = {}
        # Tokens that still work after they were refreshed, and whose they are.
        self._former: dict[str, str] = {}
        self._signature: Signature | None = None
        self._looked_at = 0.0
        self._look_took_s = 0.0
        self._looking = asyncio.Lock()
        self.last_error: str | None = None

    def load(self) -> None:
        """Read the files now; raises AccountsError."""
        if self._path is None:
            return
        try:
            self._signature = signature_of(self._path)
        except OSError as error:
            raise AccountsError(f"{self._path}: {error.strerror}") from None
        self._take(read_accounts(self._path, self._environment))
        self._looked_at = time.monotonic()

    async def find(self, token: str) -> SandboxAccount | None:
        """Give the account a token belongs to, as the files have it now."""
        if self._is_look_due():
            await self._look()
        account = self._holder(token)
        if account is None and self._path is not None:
            await self._look()
            account = self._holder(token)
        return account

    def known(self) -> list[SandboxAccount]:
        """List the accounts in force, by id."""
        return sorted(self._by_id.values(), key=lambda account: account.account_id)

    def put(self, account: SandboxAccount, *, keeps_old: bool = False) -> None:
        """Add or replace an account; raises AccountsError when its token is another's.

        With `keeps_old` the tokens that worked for it so far go on working.
        """
        holder = self._holder(account.token)
        if holder is not None and holder.account_id != account.account_id:
            raise AccountsError(f"this token already belongs to account {holder.account_id}")
        old = self._by_id.get(account.account_id)
        self._drop(account.account_id, with_former=not keeps_old)
        if keeps_old and old is not None:
            self._former[old.token] = account.account_id
        self._overlay[account.account_id] = account
        self._by_id[account.account_id] = self._by_token[account.token] = account

    def revoke(self, account_id: str) -> bool:
        """Make the account's token invalid; False when there was none."""
        self._overlay[account_id] = None
        return self._drop(account_id)

    def _holder(self, token: str) -> SandboxAccount | None:
        return self._by_token.get(token) or self._by_id.get(self._former.get(token, ""))

    def _drop(self, account_id: str, *, with_former: bool = True) -> bool:
        if with_former and account_id in self._former.values():
            self._former = {t: holder for t, holder in self._former.items() if holder != account_id}
        account = self._by_id.pop(account_id, None)
        if account is None:
            return False
        del self._by_token[account.token]
        return True

    def _take(self, from_files: dict[str, SandboxAccount]) -> None:
        """Replace what came from files; raises AccountsError and then changes nothing."""
        by_id = {
            account_id: account
            for account_id, account in {**from_files, **self._overlay}.items()
            if account is not None
        }
        by_token: dict[str, SandboxAccount] = {}
        for account in by_id.values():
            other = by_token.setdefault(account.token, account)
            if other is not account:
                raise AccountsError(
                    f"accounts {other.account_id} and {account.account_id} have the same token"
                )
        self._by_id, self._by_token = by_id, by_token

    def _is_look_due(self) -> bool:
        if self._path is None:
            return False
        pause_s = max(_LOOK_EVERY_S, _SHARE_OF_TIME * self._look_took_s)
        return time.monotonic() - self._looked_at > pause_s

    async def _look(self) -> None:
        """Re-read the files if they changed; what cannot be read leaves the accounts as they are.

        Callers that wait for a look to end share the one that follows.
        """
        asked_at = time.monotonic()
        async with self._looking:
            if self._path is None or self._looked_at > asked_at:
                return
            self._looked_at = time.monotonic()
            try:
                await self._reload(self._path)
                self.last_error = None
            except (OSError, AccountsError) as error:
                self.last_error = str(error)
            self._look_took_s = time.monotonic() - self._looked_at

    async def _reload(self, path: Path) -> None:
        signature = await asyncio.to_thread(signature_of, path)
        if signature == self._signature:
            return
        self._take(await asyncio.to_thread(read_accounts, path, self._environment))
        self._signature = signature
