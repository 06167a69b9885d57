"""What reading a source gives: the accounts that are usable, and what is wrong with the others."""

import codecs
import os
import re
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path

from worker.core.account import Account
from worker.core.secret import Secret

ACCOUNT_ID = re.compile(r"[0-9]{1,32}")
# What may stand in an Authorization header after "Bearer ".
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
_LONGEST_TOKEN_FILE = 16 * 1024

# Longer names are not shown: a token may have been put where a name belongs, and has 150 signs.
_LONGEST_SHOWN = 40
PROBLEMS_SHOWN = 3

# Time of change, size and inode of a file; None while a change could go unnoticed.
Stamp = tuple[int, int, int] | None
# File systems note the time of a change in steps, the coarsest of 2 s: a file so fresh could
# change once more and look the same.
_TOO_FRESH_NS = 2 * 10**9

# How the parsers of JSON and TOML end their messages. What comes before may quote a token.
_PLACE = re.compile(r"line (\d+),? column (\d+)(?: \(char \d+\)|\))$")


class AccountsError(Exception):
    """The source cannot be used; the text names IGSEND_ACCOUNTS or the entry, never a token."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a source. `problems` are sentences; each is about one entry.

    An entry with a problem is left out, or is there as it was when it was last good.
    """

    accounts: dict[str, Account]
    problems: list[str] = field(default_factory=list)


def token_from(text: str, *, where: str) -> Secret:
    """Take a token as it is stored, less surrounding white space; raises AccountsError."""
    token = text.strip()
    if not token:
        raise AccountsError(f"{where} is empty; it must hold the account's access token")
    if _TOKEN.fullmatch(token) is None:
        raise AccountsError(f"{where} holds white space or other characters no token has")
    return Secret(token)


def token_in(path: Path, *, where: str) -> Secret:
    """Read a token file; raises AccountsError, also for what is no file or far too large."""
    return token_in_bytes(contents_of(path, where=where), where=where)


def token_in_bytes(data: bytes, *, where: str) -> Secret:
    """Take the token that a file consists of; raises AccountsError."""
    try:
        return token_from(data.decode("utf-8"), where=where)
    except UnicodeDecodeError:
        raise AccountsError(f"{where} is not UTF-8 text") from None


def contents_of(path: Path, *, where: str) -> bytes:
    """Read a small file; raises AccountsError."""
    try:
        # A pipe would keep the reader waiting for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise AccountsError(f"{where} is not a file")
        with path.open("rb") as file:
            data = file.read(_LONGEST_TOKEN_FILE + 1)
        if len(data) > _LONGEST_TOKEN_FILE:
            raise AccountsError(f"{where} is larger than a token can be")
        # Some editors begin a file with it.
        return data.removeprefix(codecs.BOM_UTF8)
    except (OSError, ValueError) as error:
        raise AccountsError(f"{where}: cannot read it ({why(error)})") from None


def place_in(error: Exception) -> str:
    """Say where a parser stopped, with a space before it; nothing when it does not tell."""
    said = str(error)
    if found := _PLACE.search(said):
        return f" at line {found[1]}, column {found[2]}"
    return " at its end" if said.endswith("(at end of document)") else ""


def why(error: Exception) -> str:
    """Say what the system says, without the path: that may be something else by mistake."""
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


def shown(name: str) -> str:
    """Give a name for a message, unless it is so long that it may be a token."""
    return name if len(name) <= _LONGEST_SHOWN else f"<{len(name)} characters>"


def stamp_of(status: os.stat_result) -> Stamp:
    """Tell versions of a file apart."""
    if status.st_mtime_ns > time.time_ns() - _TOO_FRESH_NS:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def sentence(problems: list[str]) -> str | None:
    """Say the first few problems, and how many more there are; None when there are none."""
    more = len(problems) - PROBLEMS_SHOWN
    shown = "; ".join(problems[:PROBLEMS_SHOWN])
    return (f"{shown}; and {more} more" if more > 0 else shown) or None
