"""A TOML or JSON file of accounts with their settings (design 8)."""

import json
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from worker.accounts.entry import Entry, Settings, Strict, account_of, entry_from, sentences
from worker.accounts.reading import (
    ACCOUNT_ID,
    AccountsError,
    Reading,
    Stamp,
    place_in,
    shown,
    stamp_of,
    token_from,
    token_in,
    why,
)
from worker.core.account import Account
from worker.core.secret import Secret


class _File(Strict):
    defaults: Settings = Settings()
    # What an account is, is looked at one by one: a wrong one is to harm no other.
    accounts: dict[str, Any] = Field(default_factory=dict)


class AccountFile:
    """Reads the file, and the token files it names."""

    def __init__(self, path: Path, *, environment: Mapping[str, str]) -> None:
        self._path = path
        self._environment = environment
        self._reading: Reading | None = None
        self._stamps: dict[Path, Stamp] = {}

    def read(self) -> Reading:
        """Give every usable account; the same Reading as before when no file changed.

        Raises AccountsError when the file itself is unusable.
        """
        if self._reading is None or not self._is_unchanged():
            last = {} if self._reading is None else self._reading.accounts
            stamp, self._stamps = _stamp(self._path), {}
            self._reading = self._read_again(last)
            # Only now: a file that cannot be used is looked into again each time.
            self._stamps[self._path] = stamp
        return self._reading

    def _is_unchanged(self) -> bool:
        return self._path in self._stamps and all(
            stamp is not None and stamp == _stamp(path) for path, stamp in self._stamps.items()
        )

    def _read_again(self, last: Mapping[str, Account]) -> Reading:
        try:
            file = _File.model_validate(self._parsed())
        except ValidationError as error:
            raise AccountsError(f"{self._path}: {sentences(error, _File)}") from None
        reading = Reading({})
        for account_id in [*file.accounts]:
            # What was read of one makes room for the next: it is a hundred thousand at times.
            fields = file.accounts.pop(account_id)
            try:
                reading.accounts[account_id] = self._account(account_id, fields, file.defaults)
            except AccountsError as error:
                reading.problems.append(str(error))
                if account_id in last:
                    reading.accounts[account_id] = last[account_id]
        return reading

    def _parsed(self) -> object:
        try:
            data = self._path.read_bytes()
        except OSError as error:
            raise AccountsError(f"IGSEND_ACCOUNTS={self._path}: {why(error)}") from None
        try:
            text = data.decode("utf-8-sig")
            if self._path.suffix == ".json":
                return json.loads(text, object_pairs_hook=self._without_twins)
            return tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            kind = "JSON" if self._path.suffix == ".json" else "TOML"
            place = place_in(error) or f" ({type(error).__name__})"
            raise AccountsError(f"{self._path} is not {kind}{place}") from None

    def _without_twins(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """Make an object of a JSON file; a key that is there twice would hide the first one.

        TOML refuses that by itself. Raises AccountsError.
        """
        found = dict(pairs)
        if len(found) != len(pairs):
            twice = next(
                key for key, count in Counter(key for key, _ in pairs).items() if count > 1
            )
            raise AccountsError(f"{self._path}: the key {shown(twice)} is there twice; keep one")
        return found

    def _account(self, account_id: str, fields: object, defaults: Settings) -> Account:
        where = f"{self._path}, accounts.{shown(account_id)}"
        if ACCOUNT_ID.fullmatch(account_id) is None:
            raise AccountsError(f"{where}: the id must be the account's numeric id")
        entry = entry_from(fields, where=where)
        return account_of(account_id, entry, self._token(entry, where), defaults)

    def _token(self, entry: Entry, where: str) -> Secret:
        sources = [entry.token, entry.token_file, entry.token_env]
        if sum(source is not None for source in sources) != 1:
            raise AccountsError(f"{where}: give exactly one of token, token_file and token_env")
        if entry.token is not None:
            return token_from(entry.token.get_secret_value(), where=f"{where}.token")
        if entry.token_env is not None:
            place = f"{where}: the environment variable {shown(entry.token_env)}"
            if entry.token_env not in self._environment:
                raise AccountsError(f"{place} is not set")
            return token_from(self._environment[entry.token_env], where=place)
        assert entry.token_file is not None, "it is the one that is left"
        path = self._path.parent / entry.token_file
        self._stamps[path] = _stamp(path)
        return token_in(path, where=f"{where}: the token file {path.parent / shown(path.name)}")


def _stamp(path: Path) -> Stamp:
    try:
        return stamp_of(path.stat())
    except (OSError, ValueError):
        return None
