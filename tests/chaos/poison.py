"""Messages as a broken or hostile client may publish them; the same for the same seed. Pure.

What the broker itself refuses, or acts upon before any worker sees it (a malformed table,
`expiration`, `user_id`, CC and BCC), is not among them.
"""

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from tests.support.raw_amqp import RawMessage, long, short, table
from tests.support.stage import a_text

_OURS = ("attempts", "sent-parts", "first-seen", "unknown-since", "checks", "returned-from", "x")
_STRANGE_TEXT = (
    "",
    "\x00",
    "\ud800",
    "é" * 600,
    "𝕏" * 300,
    "{{}}",
    "../..",
    "null",
    "\u202e",
    "-0",
)
_STRANGE_NUMBERS = (0, -1, 2**31, 2**63, 2**64, 10**400, 1e308, 0.1, -0.0)
_STRANGE_JSON = (
    b"NaN", b"1e999", b"[" * 600, b'{"a":' * 300, b'"\\ud800"', b"\xef\xbb\xbf{}", b"{}{}",
    b'{"id":"a","id":"b"}', b"", b" ", b"0" * 100_000, b"true", b"'", b"/*", b'{"id":}',
)  # fmt: skip
_WIDTHS = {b"b": 1, b"B": 1, b"s": 2, b"u": 2, b"I": 4, b"i": 4, b"l": 8, b"f": 4, b"d": 8, b"D": 5}


def poisons(seed: int, count: int) -> list[RawMessage]:
    """Write `count` of them, each with a correlation id of its own, by which it can be found."""
    random = Random(seed)
    return [_poison(random, f"poison-{seed}-{number}") for number in range(count)]


def _poison(random: Random, name: str) -> RawMessage:
    write = random.choice(_BODIES)
    properties = {key: draw(random) for key, draw in _PROPERTIES.items() if random.random() < 0.3}
    return RawMessage(write(random), {**properties, "correlation_id": short(name)})


def _noise(random: Random) -> bytes:
    return random.randbytes(random.choice((1, 7, 300, 5000)))


def _strange_json(random: Random) -> bytes:
    return random.choice(_STRANGE_JSON)


def _any_json(random: Random) -> bytes:
    return _dumped(_value(random, depth=4))


def _nearly_right(random: Random) -> bytes:
    """A request with some fields changed for anything."""
    document = a_text()
    for _ in range(random.randint(1, 3)):
        _spoil(random, document)
    return _dumped(document)


def _damaged(random: Random) -> bytes:
    """A request with some bytes changed, gone or too many."""
    body = bytearray(_dumped(a_text()))
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(body))
        body[at : at + random.randint(0, 3)] = random.randbytes(random.randint(0, 3))
    return bytes(body)


def _encoded_otherwise(random: Random) -> bytes:
    return json.dumps(a_text()).encode(random.choice(("utf-16", "utf-32", "utf-8-sig")))


def _cut_short(random: Random) -> bytes:
    body = _dumped(a_text())
    return body[: random.randrange(len(body))]


def _large(random: Random) -> bytes:
    size = random.choice((1_000, 200_000, 262_144, 262_145, 400_000))
    return _dumped({**a_text(), "metadata": {"m": "x" * size}})


_BODIES: Sequence[Callable[[Random], bytes]] = (
    _noise, _strange_json, _any_json, _nearly_right, _nearly_right, _damaged, _damaged,
    _encoded_otherwise, _cut_short, _large,
)  # fmt: skip


def _spoil(random: Random, document: dict[str, Any]) -> None:
    place: Any = document
    key = random.choice([*document, "messages", "sender_action", "payload", "metadata", "extra"])
    if isinstance(place.get(key), dict) and place[key] and random.random() < 0.7:
        place, key = place[key], random.choice([*place[key]])
    place[key] = _value(random, depth=2)


def _value(random: Random, *, depth: int) -> Any:
    kind = random.randrange(8 if depth else 6)
    if kind == 6:
        return [_value(random, depth=depth - 1) for _ in range(random.randint(0, 4))]
    if kind == 7:
        names = random.choices(("id", "text", "message", "a", "\x00", "attachment"), k=3)
        return {name: _value(random, depth=depth - 1) for name in names}
    scalars: tuple[Any, ...] = (
        None, True, random.choice(_STRANGE_NUMBERS), random.choice(_STRANGE_TEXT),
        str(random.getrandbits(40)), chr(random.randrange(0x20, 0xD7FF)) * random.randint(1, 50),
    )  # fmt: skip
    return scalars[kind]


def _dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def _short_noise(random: Random) -> bytes:
    return short(random.randbytes(random.choice((0, 1, 20, 127, 128, 255))))


def _headers(random: Random) -> bytes:
    return table({_key(random): _field(random, depth=3) for _ in range(random.randint(0, 6))})


def _key(random: Random) -> bytes:
    if random.random() < 0.3:
        return f"x-igsend-{random.choice(_OURS)}".encode()
    # A leading sign that CC, BCC and the broker's own headers do not have.
    return b"k" + random.randbytes(random.randint(0, 60))


def _field(random: Random, *, depth: int) -> bytes:
    kinds = [*_WIDTHS, b"t", b"T", b"V", b"S", b"x", *([b"F", b"A"] if depth else [])]
    kind = random.choice(kinds)
    match kind:
        case b"V":
            return kind
        case b"t":
            return kind + bytes([random.randrange(2)])
        case b"T":
            return kind + random.randbytes(8)
        case b"S" | b"x":
            return long(random.randbytes(random.choice((0, 3, 2000))), kind=kind)
        case b"A":
            fields = (_field(random, depth=depth - 1) for _ in range(random.randint(0, 3)))
            return long(b"".join(fields), kind=kind)
        case b"F":
            inner = {_key(random): _field(random, depth=depth - 1) for _ in range(2)}
            return kind + table(inner)
        case _:
            return kind + random.randbytes(_WIDTHS[kind])


_PROPERTIES: dict[str, Callable[[Random], bytes]] = {
    "content_type": _short_noise,
    "content_encoding": _short_noise,
    "headers": _headers,
    "delivery_mode": lambda random: random.choice((b"\x01", b"\x02")),
    "priority": lambda random: random.randbytes(1),
    "reply_to": _short_noise,
    "message_id": _short_noise,
    "timestamp": lambda random: random.randbytes(8),
    "type": _short_noise,
    "app_id": _short_noise,
    "cluster_id": _short_noise,
}
