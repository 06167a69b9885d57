"""A directory of files, each named by its account's id and holding its token: a mounted Secret.

Instead of the bare token a file may hold an entry as JSON. `defaults.json` or `defaults.toml` may
stand beside them, with settings for all.
"""

import json
import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from worker.accounts.entry import (
    NO_DEFAULTS,
    Entry,
    Settings,
    account_from_json,
    account_of,
    settings_from,
)
from worker.accounts.reading import (
    ACCOUNT_ID,
    AccountsError,
    Reading,
    Stamp,
    contents_of,
    place_in,
    shown,
    stamp_of,
    token_in_bytes,
    why,
)
from worker.core.account import Account

_BARE = Entry()
_DEFAULTS = {"defaults.json": json.loads, "defaults.toml": tomllib.loads}


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
        self._defaults = NO_DEFAULTS

    def read(self) -> Reading:
        """Look at every file; the same Reading as before when none changed.

        Raises AccountsError when the directory cannot be listed.
        """
        try:
            changed, names = self._scan()
            if self._reading is None or changed or len(names) < len(self._entries):
                self._entries = self._renewed(changed, names)
                self._reading = self._summary()
        except OSError as error:
            raise AccountsError(f"IGSEND_ACCOUNTS={self._path}: {why(error)}") from None
        return self._reading

    def _scan(self) -> tuple[list[os.DirEntry[str]], set[str]]:
        """Give the files that are new or may have changed, and the names of all there are."""
        changed, names = [], set()
        for file in self._files():
            names.add(file.name)
            known = self._entries.get(file.name)
            if known is None or known.stamp is None or known.stamp != _stamp(file):
                changed.append(file)
        return changed, names

    def _renewed(self, changed: list[os.DirEntry[str]], names: set[str]) -> dict[str, _Entry]:
        gone = self._entries.keys() - names
        if _DEFAULTS.keys() & (gone | {file.name for file in changed}):
            return self._look_at_all()
        kept = {name: entry for name, entry in self._entries.items() if name not in gone}
        return kept | {file.name: self._look(file) for file in changed}

    def _look_at_all(self) -> dict[str, _Entry]:
        files = list(self._files())
        found = sorted((file for file in files if file.name in _DEFAULTS), key=lambda f: f.name)
        if not found:
            self._use_defaults(NO_DEFAULTS)
        seen = {file.name: self._look_at_defaults(file) for file in found[:1]}
        for file in found[1:]:
            problem = (
                f"{self._path / file.name} is not read beside {found[0].name}; keep one of them"
            )
            seen[file.name] = _Entry(_stamp(file), problem=problem)
        return seen | {file.name: self._look(file) for file in files if file.name not in seen}

    def _look_at_defaults(self, file: os.DirEntry[str]) -> _Entry:
        stamp, known = _stamp(file), self._entries.get(file.name)
        if known is not None and stamp is not None and known.stamp == stamp:
            return known
        where = str(self._path / file.name)
        try:
            text = contents_of(self._path / file.name, where=where).decode()
            self._use_defaults(settings_from(_DEFAULTS[file.name](text), where=where))
        except AccountsError as error:
            return _Entry(stamp, problem=str(error))
        except (ValueError, RecursionError) as error:
            kind = "JSON" if file.name.endswith(".json") else "TOML"
            return _Entry(stamp, problem=f"{where} is not {kind}{place_in(error)}")
        return _Entry(stamp)

    def _use_defaults(self, defaults: Settings) -> None:
        if defaults != self._defaults:
            self._defaults = defaults
            # Without its stamp each file is read again.
            self._entries = {
                name: _Entry(None, entry.account) for name, entry in self._entries.items()
            }

    def _files(self) -> Iterator[os.DirEntry[str]]:
        with os.scandir(self._path) as entries:
            yield from (entry for entry in entries if not _is_none_of_ours(entry.name))

    def _look(self, file: os.DirEntry[str]) -> _Entry:
        stamp, known = _stamp(file), self._entries.get(file.name)
        if known is not None and stamp is not None and known.stamp == stamp:
            return known
        where = str(self._path / shown(file.name))
        if ACCOUNT_ID.fullmatch(file.name) is None:
            problem = f"{where}: the name of a token file must be the account's numeric id"
            return _Entry(stamp, problem=problem)
        try:
            account = self._account(file.name, where)
        except AccountsError as error:
            return _Entry(stamp, known.account if known is not None else None, str(error))
        return _Entry(stamp, account)

    def _account(self, account_id: str, where: str) -> Account:
        data = contents_of(self._path / account_id, where=where)
        # No token begins so: it is an entry, with settings beside the token.
        if data.lstrip().startswith(b"{"):
            return account_from_json(account_id, data, where=where, defaults=self._defaults)
        token = token_in_bytes(data, where=where)
        return account_of(account_id, _BARE, token, self._defaults)

    def _summary(self) -> Reading:
        entries = self._entries.values()
        return Reading(
            {entry.account.id: entry.account for entry in entries if entry.account is not None},
            sorted(entry.problem for entry in entries if entry.problem is not None),
        )


def _is_none_of_ours(name: str) -> bool:
    # The root of a volume has a lost+found.
    return name.startswith(".") or name == "lost+found"


def _stamp(file: os.DirEntry[str]) -> Stamp:
    try:
        return stamp_of(file.stat())
    except OSError:
        return None
