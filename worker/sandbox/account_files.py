"""Reads accounts and tokens from a directory of token files, or from a .toml or .json file.

Takes the formats of IGSEND_ACCOUNTS, and of them only what the API would know: token, human_agent.
"""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Signature = tuple[tuple[str, int, int, int], ...]


class AccountsError(Exception):
    """The accounts cannot be read; the text says which file and why, and shows no token."""


@dataclass(frozen=True, slots=True)
class SandboxAccount:
    """An account that may send. The token is never printed.

    It was issued at `issued_at`, long ago if that is None, and ends at `expires_at`, if ever.
    """

    account_id: str
    token: str = field(repr=False)
    human_agent: bool = False
    issued_at: float | None = None
    expires_at: float | None = None


def signature_of(path: Path) -> Signature:
    """Tell by sizes and times whether anything changed since the last reading."""
    if not path.is_dir():
        return (_stat_of(path),)
    return tuple(sorted(_stat_of(entry) for entry in _token_files(path)))


def read_accounts(path: Path, environment: Mapping[str, str]) -> dict[str, SandboxAccount]:
    """Read all accounts; raises AccountsError."""
    try:
        if path.is_dir():
            found = [_in_directory(file, path, environment) for file in _token_files(path)]
        else:
            found = list(_from_document(_read_document(path), path, environment))
    except OSError as error:
        raise AccountsError(f"{path}: {error.strerror}") from None
    return {account.account_id: account for account in found}


def _stat_of(file: Path | os.DirEntry[str]) -> tuple[str, int, int, int]:
    try:
        status = file.stat()
    except OSError:
        return (file.name, 0, 0, 0)
    return (file.name, status.st_mtime_ns, status.st_size, status.st_ino)


def _token_files(directory: Path) -> list[os.DirEntry[str]]:
    """Give the files named by an account id; a mounted Secret also holds `..data` and the like."""
    with os.scandir(directory) as entries:
        return [entry for entry in entries if entry.name.isascii() and entry.name.isdigit()]


def _read_token(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace").strip()


def _in_directory(
    file: os.DirEntry[str], path: Path, environment: Mapping[str, str]
) -> SandboxAccount:
    text = _read_token(Path(file))
    if not text.startswith("{"):
        return _account(file.name, text)
    try:
        entry = json.loads(text)
    except ValueError as error:
        raise AccountsError(f"{path / file.name}: not readable as JSON") from error
    return _from_entry(file.name, entry, path, environment)


def _account(account_id: str, token: str, *, human_agent: bool = False) -> SandboxAccount:
    if not (account_id.isascii() and account_id.isdigit()):
        raise AccountsError(f"account {account_id!r}: the id must be digits")
    if not token or any(sign.isspace() or not sign.isprintable() for sign in token):
        raise AccountsError(f"account {account_id}: the token is empty or has blanks inside")
    return SandboxAccount(account_id, token, human_agent)


def _read_document(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except ValueError as error:
        # The parsers' own messages may quote the line, which may hold a token.
        raise AccountsError(f"{path}: not readable as {path.suffix or 'TOML'}") from error
    if not isinstance(document, dict):
        raise AccountsError(f"{path}: must hold a table of accounts")
    return document


def _from_document(
    document: dict[str, Any], path: Path, environment: Mapping[str, str]
) -> Iterator[SandboxAccount]:
    accounts = document.get("accounts")
    if not isinstance(accounts, dict):
        raise AccountsError(f"{path}: needs a table [accounts.ID] for each account")
    for account_id, entry in accounts.items():
        yield _from_entry(account_id, entry, path, environment)


def _from_entry(
    account_id: str, entry: object, path: Path, environment: Mapping[str, str]
) -> SandboxAccount:
    if not isinstance(entry, dict):
        raise AccountsError(f"{path}: accounts.{account_id} must be a table")
    human_agent = entry.get("human_agent", False)
    if not isinstance(human_agent, bool):
        raise AccountsError(f"{path}: accounts.{account_id}.human_agent must be true or false")
    return _account(account_id, _token_of(entry, path, environment), human_agent=human_agent)


def _token_of(entry: dict[str, Any], path: Path, environment: Mapping[str, str]) -> str:
    if isinstance(token := entry.get("token"), str):
        return token
    if isinstance(file := entry.get("token_file"), str):
        return _read_token(path.parent / file)
    if isinstance(name := entry.get("token_env"), str):
        return environment.get(name, "")
    raise AccountsError(f"{path}: an account needs token, token_file or token_env, as text")
