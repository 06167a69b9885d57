"""What a source of accounts can be asked one account at a time."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from worker.accounts.reading import AccountsError
from worker.core.account import Account

# Tells versions of an entry apart: an ETag, or a digest of the text.
Mark = str | bytes | None


@dataclass(frozen=True, slots=True)
class Found:
    """The account as it is now."""

    account: Account
    mark: Mark


class Unchanged:
    """The account is as it was when it had the mark that was shown."""


class Absent:
    """There is no such account."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """There is an answer about the account, but it cannot be used; `problem` says why."""

    problem: str


UNCHANGED, ABSENT = Unchanged(), Absent()
Answer = Found | Unchanged | Absent | Unusable


class OriginUnavailable(AccountsError):
    """No answer. The text says who gave none, why, and where to look; it holds no credentials."""


class Origin(Protocol):
    """Where accounts come from; `shown` is for people, without credentials.

    One question may be about `most_at_once` accounts.
    """

    shown: str
    most_at_once: int

    async def ask(self, marks: Mapping[str, Mark]) -> Mapping[str, Answer]:
        """Look up each of these ids; the mark is that of the version known. Within seconds.

        Raises OriginUnavailable.
        """
        ...

    def ids(self) -> AsyncIterator[str]:
        """List all ids; raises AccountsError, also where that cannot be done."""
        ...

    async def close(self) -> None: ...
