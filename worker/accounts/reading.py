"""What reading a source gives: the accounts that are usable, and what is wrong with the others."""

import re
from dataclasses import dataclass, field

from worker.core.account import Account
from worker.core.secret import Secret

ACCOUNT_ID = re.compile(r"[0-9]{1,32}")
# What may stand in an Authorization header after "Bearer ".
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")


class AccountsError(Exception):
    """The source cannot be used; the text names IGSEND_ACCOUNTS or the entry, never a token."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a source. `problems` are sentences; each is about one entry left out."""

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
