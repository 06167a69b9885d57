"""Accounts and requests to load the workers with; each body has a mark that the sandbox reads."""

import json
from collections.abc import Iterator, Mapping
from typing import Literal

from tests.replicas.loader import Letter
from tests.replicas.windows import Allowed
from worker.rabbit.names import Names

Lane = Literal["requests", "bulk"]

_FIRST_ACCOUNT = 17_841_400_000_000_001
_FIRST_PERSON = 6_000_000_001
_FIRST_COMMENT = 17_900_000_000_000_001
_UNITS = {1.0: "s", 60.0: "m", 3600.0: "h"}
PUBLISHED = {
    "text": Allowed(100, 1.0),
    "media": Allowed(10, 1.0),
    "private_reply": Allowed(750, 3600.0),
}


def account_ids(count: int) -> list[str]:
    return [str(_FIRST_ACCOUNT + number) for number in range(count)]


def person(number: int) -> str:
    return str(_FIRST_PERSON + number)


def allowed_from(text: str) -> Allowed:
    """Read `20/s`, `60/m` or `750/h`."""
    calls, _, unit = text.partition("/")
    periods = {name: period_s for period_s, name in _UNITS.items()}
    if not calls.isdigit() or unit not in periods:
        raise ValueError(f"{text!r} is not like 20/s, 60/m or 750/h")
    return Allowed(int(calls), periods[unit])


def accounts_document(accounts: list[str], limits: Mapping[str, Allowed]) -> dict[str, object]:
    """Write an accounts file: every account with a token of its own, and the same limits."""
    written = {bucket: f"{a.calls}/{_UNITS[a.period_s]}" for bucket, a in limits.items()}
    return {
        "defaults": {"limits": written},
        "accounts": {account_id: {"token": token_of(account_id)} for account_id in accounts},
    }


def token_of(account_id: str) -> str:
    return f"IGAA{account_id}"


def body(bucket: str, account_id: str, name: str, *, to: int, parts: int = 1) -> bytes:
    """Write one request, named `name`, to the person or comment of number `to`."""
    recipient = {"id": person(to)}
    messages: list[dict[str, object]] = [{"text": f"{name}/{part}"} for part in range(parts)]
    if bucket == "media":
        urls = [f"https://cdn.example.com/{name}/{part}.png" for part in range(parts)]
        messages = [{"attachment": {"type": "image", "payload": {"url": url}}} for url in urls]
    if bucket == "private_reply":
        recipient = {"comment_id": str(_FIRST_COMMENT + to)}
    content = {"message": messages[0]} if parts == 1 else {"messages": messages}
    document = {"id": name, "account_id": account_id, "recipient": recipient, **content}
    return json.dumps(document, separators=(",", ":")).encode()


def flood(names: Names, account_id: str, *, count: int, lane: Lane) -> Iterator[Letter]:
    """Write `count` texts of one account, each to another person, as `flood-1`, `flood-2`, …"""
    exchange = names.bulk if lane == "bulk" else names.requests
    for number in range(1, count + 1):
        text = body("text", account_id, f"flood-{number}", to=10_000_000 + number)
        yield Letter(exchange, account_id, text)
