"""Writes a refreshed token back to where it was read: a directory's file, a .toml or .json file.

Expiry and token are kept together, in one file that changes at one stroke: so a directory's file
that held a bare token becomes an entry. Comments, order and foreign settings stay as they are.
"""

import codecs
import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from worker.accounts.reading import AccountsError, why
from worker.accounts.replacing import (
    CannotWriteError,
    NotReplacedError,
    check_replaceable,
    replace_file,
)
from worker.core.progress import rfc3339
from worker.core.token_life import Fresh

Edit = Callable[[bytes, Fresh], bytes]


class NotStoredError(AccountsError):
    """The new token could not be stored; the text says where it is, if anywhere. Not which."""


@dataclass(frozen=True, slots=True)
class Step:
    """A file, and what becomes of its contents; raises CannotWriteError if that makes no sense."""

    path: Path
    edit: Edit


@dataclass(frozen=True, slots=True)
class Place:
    """Where the token of an account is kept: of several files, that of the token comes first."""

    steps: tuple[Step, ...]

    def store(self, fresh: Fresh) -> None:
        """Put the token in the place of the old one; raises NotStoredError."""
        for number, step in enumerate(self.steps):
            try:
                replace_file(step.path, step.edit(step.path.read_bytes(), fresh))
            except OSError as error:
                raise _not_stored(number, f"{step.path} cannot be read ({why(error)})") from None
            except CannotWriteError as error:
                raise _not_stored(number, str(error)) from None
            except NotReplacedError as error:
                raise _not_stored(number, str(error), kept=error.kept) from None


def checked_place(source: Path, account_id: str, known: Fresh) -> Place:
    """Find the place and see that it can be written, by doing all but the change.

    `known` is the token as it is now. Raises CannotWriteError.
    """
    place = _place_of(source, account_id)
    steps = []
    for step in place.steps:
        real = check_replaceable(step.path)
        step.edit(real.read_bytes(), known)
        steps.append(replace(step, path=real))
    return Place(tuple(steps))


def lock_of(source: Path) -> Path:
    """Name the file that whoever changes the source locks; readers of a directory skip it."""
    if source.is_dir():
        return source / ".igsend-refresh.lock"
    return source.parent / f".{source.name}.igsend-refresh.lock"


def _place_of(source: Path, account_id: str) -> Place:
    if source.is_dir():
        file = source / account_id
        return Place((Step(file, partial(_edit_entry_file, file)),))
    where = f"{source}, accounts.{account_id}"
    try:
        entry = _parsed(source.read_bytes(), source)["accounts"][account_id]
    except OSError as error:
        raise CannotWriteError(f"{source} cannot be read ({why(error)})") from None
    except (LookupError, TypeError):
        raise CannotWriteError(f"{where} is no longer there; run this again") from None
    edit = partial(_edit_document, source, account_id)
    if "token" in entry:
        return Place((Step(source, partial(edit, with_token=True)),))
    if "token_file" in entry:
        file = source.parent / entry["token_file"]
        return Place((Step(file, _edit_bare_file), Step(source, partial(edit, with_token=False))))
    raise CannotWriteError(
        f"{where}: its token is in an environment variable, which no command can change; "
        "keep it in a token_file"
    )


def _edit_bare_file(_: bytes, fresh: Fresh) -> bytes:
    return f"{fresh.token.reveal}\n".encode()


def _edit_entry_file(file: Path, data: bytes, fresh: Fresh) -> bytes:
    is_entry = data.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{")
    entry = _from_json(data, file) if is_entry else {}
    _set(entry, fresh, with_token=True)
    return _json(entry, like=data)


def _edit_document(
    source: Path, account_id: str, data: bytes, fresh: Fresh, *, with_token: bool
) -> bytes:
    """Change one entry and nothing else, which is proven by reading the result."""
    expected = _parsed(data, source)
    try:
        _set(expected["accounts"][account_id], fresh, with_token=with_token)
    except (LookupError, TypeError):
        raise CannotWriteError(f"{source}, accounts.{account_id} is no longer there") from None
    if source.suffix == ".json":
        return _json(expected, like=data)
    try:
        document: Any = tomlkit.parse(data.decode("utf-8-sig"))
        _set(document["accounts"][account_id], fresh, with_token=with_token)
        edited = tomlkit.dumps(document).encode()
    except (TOMLKitError, LookupError, TypeError):
        edited = b""
    if _parsed(edited, source) != expected:
        raise CannotWriteError(
            f"{source}: the entry of account {account_id} cannot be changed without touching "
            "others; give it a table of its own, as [accounts.ID]"
        )
    return edited


def _set(entry: Any, fresh: Fresh, *, with_token: bool) -> None:
    if with_token:
        entry["token"] = fresh.token.reveal
    if fresh.expires_at is not None:
        entry["expires_at"] = rfc3339(fresh.expires_at)
    elif "expires_at" in entry:
        # That of the old token says nothing of the new one.
        del entry["expires_at"]


def _parsed(data: bytes, source: Path) -> Any:
    if source.suffix == ".json":
        return _from_json(data, source)
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        # Messages of parsers may quote a token.
        raise CannotWriteError(f"{source} is not TOML any more; mend it") from None


def _from_json(data: bytes, file: Path) -> Any:
    try:
        return json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise CannotWriteError(f"{file} is not JSON any more; mend it") from None


def _json(document: Any, *, like: bytes) -> bytes:
    is_spread = b"\n" in like.strip()
    text = json.dumps(document, ensure_ascii=False, indent=2 if is_spread else None)
    return f"{text}\n".encode()


def _not_stored(number: int, problem: str, *, kept: Path | None = None) -> NotStoredError:
    if number:
        return NotStoredError(
            f"the new token is stored, but not when it ends: {problem}; "
            "set expires_at by hand, or it is refreshed again when it is named"
        )
    if kept is not None:
        found = f"what should be there is in {kept}: put it in place with mv"
    else:
        found = "the new token is lost"
    return NotStoredError(
        f"the API gave a new token, but {problem}; {found}. The old token stays stored; if the "
        "API takes it no more, a person must log in again"
    )
