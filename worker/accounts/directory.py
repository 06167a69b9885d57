"""A directory of token files, each named by its account's id: a mounted Secret."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from worker.accounts.reading import (
    ACCOUNT_ID,
    AccountsError,
    Reading,
    Stamp,
    shown,
    stamp_of,
    token_in,
    why,
)
from worker.core.account import Account


@dataclass(frozen=True, slots=True)
class _Entry:
    """One file as it was last seen. With a problem, `account` is the last good one, if any."""

    stamp: Stamp
    account: Account | None = None
    problem: str | None = None


class AccountDirectory:
    """Reads again only the files that changed: a hundred thousand take a look, not a read.

    Kubernetes swaps a symlink named `..data` for a whole new set of files; stat follows links,
    so every file then has a new inode.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, _Entry] = {}
        self._reading: Reading | None = None

    def read(self) -> Reading:
        """Look at every file; the same Reading as before when none changed.

        Raises AccountsError when the directory cannot be listed.
        """
        try:
            if self._reading is None or not self._is_unchanged():
                self._entries = {entry.name: self._look(entry) for entry in self._files()}
                self._reading = self._summary()
        except OSError as error:
            raise AccountsError(f"IGSEND_ACCOUNTS={self._path}: {why(error)}") from None
        return self._reading

    def _files(self) -> Iterator[os.DirEntry[str]]:
        with os.scandir(self._path) as entries:
            yield from (entry for entry in entries if not entry.name.startswith("."))

    def _is_unchanged(self) -> bool:
        count = 0
        for file in self._files():
            count += 1
            known = self._entries.get(file.name)
            if known is None or known.stamp is None or known.stamp != _stamp(file):
                return False
        return count == len(self._entries)

    def _look(self, file: os.DirEntry[str]) -> _Entry:
        stamp, known = _stamp(file), self._entries.get(file.name)
        if known is not None and stamp is not None and known.stamp == stamp:
            return known
        where = str(self._path / shown(file.name))
        if ACCOUNT_ID.fullmatch(file.name) is None:
            problem = f"{where}: the name of a token file must be the account's numeric id"
            return _Entry(stamp, problem=problem)
        try:
            token = token_in(self._path / file.name, where=where)
        except AccountsError as error:
            return _Entry(stamp, known.account if known is not None else None, str(error))
        return _Entry(stamp, Account(file.name, token))

    def _summary(self) -> Reading:
        entries = self._entries.values()
        return Reading(
            {entry.account.id: entry.account for entry in entries if entry.account is not None},
            sorted(entry.problem for entry in entries if entry.problem is not None),
        )


def _stamp(file: os.DirEntry[str]) -> Stamp:
    try:
        return stamp_of(file.stat())
    except OSError:
        return None
