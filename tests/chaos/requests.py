"""The requests of a run: every id is known beforehand, and what has to become of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.replicas.loader import Letter
from tests.replicas.work import body, person
from worker.rabbit.names import Names

# Of a hundred requests, so many are of each kind.
MIX: Mapping[str, int] = {
    "text": 52, "parts": 10, "image": 12, "reaction": 6, "private": 6, "held": 4,
    "twin": 4, "bad": 4, "unknown": 2,
}  # fmt: skip
# Conversations are shared by several requests, so that turns matter.
_PEOPLE = 15
_FIRST_OWN = 1_000
_BULK_SHARE = 0.3
# Which message a reaction is to is known when the sandbox has heard it.
PLACE_OF_ID = "mid.of.what.the.person.wrote"
_STRANGER = "17841499999999999"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One id and what it stands for.

    `parts` are the calls that the API must accept, once each; none for what must become a dead
    letter. `to` is the number of the person or comment.
    """

    name: str
    kind: str
    account_id: str
    to: int
    parts: int
    letters: tuple[Letter, ...]

    @property
    def recipient_id(self) -> str:
        return person(self.to)


def requests(names: Names, accounts: list[str], count: int, *, seed: int) -> list[Wanted]:
    """Write `count` requests in a shuffled mix of kinds, accounts, people and lanes."""
    random = Random(seed)
    kinds = random.choices(list(MIX), list(MIX.values()), k=count)
    return [
        _wanted(names, random.choice(accounts), kind, number, random)
        for number, kind in enumerate(kinds, 1)
    ]


def _wanted(names: Names, account_id: str, kind: str, number: int, random: Random) -> Wanted:
    name = f"{kind}-{number}"
    # A reaction has no mark that could be read, and a comment is answered once: one's own each.
    has_own = kind in ("reaction", "private")
    to = _FIRST_OWN + number if has_own else random.randrange(_PEOPLE)
    parts = {"parts": random.randint(2, 4), "bad": 0, "unknown": 0}.get(kind, 1)
    sender = _STRANGER if kind == "unknown" else account_id
    exchange = names.bulk if random.random() < _BULK_SHARE else names.requests
    letter = Letter(exchange, sender, _body(kind, sender, name, to=to, parts=parts))
    copies = 2 if kind == "twin" else 1
    return Wanted(name, kind, sender, to, parts, (letter,) * copies)


def _body(kind: str, account_id: str, name: str, *, to: int, parts: int) -> bytes:
    match kind:
        case "image":
            return body("media", account_id, name, to=to)
        case "private":
            return body("private_reply", account_id, name, to=to)
        case "parts":
            return body("text", account_id, name, to=to, parts=parts)
        case "held":
            return _with(body("text", account_id, name, to=to), on_unknown="hold")
        case "bad":
            return _with(body("text", account_id, name, to=to), message={"text": ""})
        case "reaction":
            reaction = {"message_id": PLACE_OF_ID, "reaction": "love"}
            action = {"sender_action": "react", "payload": reaction}
            return _with(body("text", account_id, name, to=to), without="message", **action)
        case _:
            return body("text", account_id, name, to=to)


def _with(written: bytes, *, without: str | None = None, **fields: Any) -> bytes:
    document = json.loads(written)
    document.pop(without, None)
    return json.dumps({**document, **fields}, separators=(",", ":")).encode()
