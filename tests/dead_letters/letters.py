"""Dead letters as a worker leaves them, each different, as bytes ready for the wire."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.replicas.loader import Letter
from tests.replicas.work import body
from tests.support.raw_amqp import PROPERTIES, RawMessage, long, short, table
from worker.core.dead_letter import dead_letter_headers
from worker.core.delivery import Delivery, Lane, Properties
from worker.core.outcome import Dead
from worker.core.progress import REASON, Progress
from worker.core.reason import Reason
from worker.core.replay import Replay
from worker.core.request import Identity
from worker.core.send_result import GraphError
from worker.rabbit.names import Names

_DIED_AT = 1_795_340_000.0
# Why accounts are refused: (code, subcode, HTTP status).
CODES = ((190, 463, 400), (190, 460, 400), (10, None, 403), (368, None, 400), (200, None, 403))
# What producers may set besides: every sort of value, by turns.
_THEIRS: tuple[dict[bytes, bytes], ...] = (
    {},
    {b"tenant": b"l" + (7).to_bytes(8), b"weight": b"d\x3f\xf1\x99\x99\x99\x99\x99\x9a"},
    {b"tags": long(long("spring") + b"t\x01" + b"V", kind=b"A")},
    {b"raw": long(b"\x00\xff\xfe", kind=b"x"), b"price": b"D\x02\x00\x00\x01\x41"},
    {b"deep": long(table({b"a": long("b"), b"c": b"T" + (1).to_bytes(8)})[4:], kind=b"F")},
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One letter: its number, whose it is, and to which person."""

    number: int
    account_id: str
    to: int

    @property
    def name(self) -> str:
        return f"letter-{self.number}"


@dataclass(frozen=True, slots=True)
class Written(Letter):
    """A letter with properties of its own, each encoded."""

    properties: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def message(self) -> RawMessage:
        """The letter as it is taken out again."""
        return RawMessage(self.body, self.properties)

    def frames(self) -> bytes:
        method = struct.pack(">HHH", 60, 40, 0) + short(self.exchange) + short(self.routing_key)
        flags = sum(1 << (15 - PROPERTIES.index(name)) for name in self.properties)
        header = struct.pack(">HHQH", 60, 0, len(self.body), flags)
        header += b"".join(self.properties[name] for name in PROPERTIES if name in self.properties)
        pieces = ((1, method + b"\x01"), (2, header), (3, self.body))
        return b"".join(
            struct.pack(">BHI", kind, 1, len(payload)) + payload + b"\xce"
            for kind, payload in pieces
            if payload
        )


def letters(count: int, accounts: list[str]) -> Iterator[Wanted]:
    """Give letters of all accounts by turns, each to a person of its own."""
    for number in range(1, count + 1):
        yield Wanted(number, accounts[number % len(accounts)], 1_000_000 + number)


def written(wanted: Wanted, names: Names, *, claims: dict[bytes, bytes] | None = None) -> Written:
    """Write a letter of the account's queue; `claims` are headers that only a broker should set."""
    content = body("text", wanted.account_id, wanted.name, to=wanted.to)
    code, subcode, status = CODES[wanted.number % len(CODES)]
    error = GraphError("the API refused the account", code, subcode, status)
    delivery = Delivery(
        content,
        names.send_queues[0],
        Lane.INTERACTIVE,
        redelivered=False,
        properties=Properties(),
        progress=Progress(),
    )
    moment = _DIED_AT + wanted.number
    dead = Dead(Reason.ACCOUNT, error.meaning, Progress(1, moment), error)
    identity = Identity(wanted.name, wanted.account_id)
    ours = dead_letter_headers(delivery, dead, identity, now=moment)
    headers = {name.encode(): _encoded(value) for name, value in ours.items()}
    headers |= _THEIRS[wanted.number % len(_THEIRS)] | (claims or {})
    properties = {
        "content_type": short("application/json"),
        "headers": table(headers),
        "delivery_mode": b"\x02",
        "correlation_id": short(f"theirs-{wanted.number}"),
        "message_id": short(f"message-{wanted.number}"),
        "timestamp": int(moment).to_bytes(8),
        "app_id": short("crm"),
    }
    return Written(names.dead, Reason.ACCOUNT.value, content, properties)


def replayed(wanted: Wanted, names: Names, replay: Replay) -> Written:
    """Write what the tool publishes for a letter."""
    letter = written(wanted, names)
    ours = {REASON: Reason.ACCOUNT.value, **replay.headers()}
    headers = letter.message.foreign_headers
    headers |= {name.encode(): _encoded(value) for name, value in ours.items()}
    fresh = {"headers": table(headers), "message_id": short(f"{replay.batch}-{wanted.number}")}
    return Written(names.bulk, wanted.account_id, letter.body, {**letter.properties, **fresh})


def _encoded(value: object) -> bytes:
    if isinstance(value, bool):
        return b"t" + bytes((value,))
    if isinstance(value, int):
        return b"l" + value.to_bytes(8, signed=True)
    return long(str(value))
