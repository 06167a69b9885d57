"""A directory of token files, each named by its account's id: a mounted Secret."""

import os
from pathlib import Path

from worker.accounts.reading import ACCOUNT_ID, AccountsError, Reading, token_from
from worker.core.account import Account

_Stamp = tuple[int, int, int]


class AccountDirectory:
    """Reads again only the files that changed: a hundred thousand take a look, not a read.

    Kubernetes swaps a symlink named `..data` for a whole new set of files; stat follows links,
    so every file then has a new inode.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, tuple[_Stamp, Account | str]] = {}

    def read(self) -> Reading:
        """Look at every file; raises AccountsError when the directory cannot be listed."""
        found: dict[str, tuple[_Stamp, Account | str]] = {}
        try:
            with os.scandir(self._path) as entries:
                names = [entry.name for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            raise AccountsError(f"IGSEND_ACCOUNTS={self._path}: {error.strerror}") from error
        for name in names:
            found[name] = self._look(name)
        self._known = found
        states = [state for _, state in found.values()]
        return Reading(
            {state.id: state for state in states if isinstance(state, Account)},
            sorted(state for state in states if isinstance(state, str)),
        )

    def _look(self, name: str) -> tuple[_Stamp, Account | str]:
        path = self._path / name
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            known = self._known.get(name)
            if known is not None and known[0] == stamp:
                return known
            return stamp, self._account(path)
        except OSError as error:
            return (0, 0, 0), f"{path}: {error.strerror}"

    @staticmethod
    def _account(path: Path) -> Account | str:
        if ACCOUNT_ID.fullmatch(path.name) is None:
            return f"{path}: the name of a token file must be the account's numeric id"
        try:
            return Account(path.name, token_from(path.read_text("utf-8"), where=str(path)))
        except (AccountsError, UnicodeDecodeError) as error:
            is_text = isinstance(error, AccountsError)
            return str(error) if is_text else f"{path}: is not UTF-8 text"
