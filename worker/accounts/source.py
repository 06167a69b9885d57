"""Provisional account source: a directory of token files or a TOML/JSON file, read once a second."""

import asyncio
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

from worker.core.account import Account
from worker.core.request import AccountId
from worker.core.secret import Secret


class AccountsError(Exception):
    """The accounts cannot be read."""


class AccountSource:
    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        self._path = path
        self._accounts: dict[str, Account] = {}
        self.last_error: str | None = None

    @property
    def count(self) -> int:
        return len(self._accounts)

    async def load(self) -> None:
        self._accounts = self._read()

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._accounts = self._read()

    async def find(self, account_id: AccountId) -> Account | None:
        return self._accounts.get(account_id)

    def _read(self) -> dict[str, Account]:
        if self._path.is_dir():
            return {
                f.name: Account(f.name, Secret(f.read_text().strip()))
                for f in self._path.iterdir()
                if f.name.isdigit()
            }
        text = self._path.read_text()
        data = json.loads(text) if self._path.suffix == ".json" else tomllib.loads(text)
        return {
            name: Account(name, Secret(row["token"]), human_agent=row.get("human_agent", False))
            for name, row in data["accounts"].items()
        }
