"""AMQP tables and short strings: reading is total, and what came is written again as it came.

pamqp raises on header keys that are not UTF-8 and on headers nested too deeply, and what it can
read it would write otherwise: doubles shortened, long keys cut, byte strings refused.
"""

import struct
from collections.abc import Mapping

from pamqp import decode, encode

# Octets of a header value by its type, as RabbitMQ writes them; the others begin with their
# length in four octets.
_SIZES = {
    b"t": 1, b"b": 1, b"B": 1, b"s": 2, b"u": 2, b"I": 4, b"i": 4, b"l": 8, b"f": 4, b"d": 8,
    b"D": 5, b"T": 8, b"V": 0,
}  # fmt: skip
_WITH_LENGTH = (b"S", b"x", b"A", b"F")
_NESTED = (b"A", b"F")
# pamqp takes quadratic time for nested values. Larger ones are somebody else's, and stay closed.
_LARGEST_NESTED = 4096
_LONGEST_SHORT_STRING = 255

UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    OSError,
    struct.error,
    RecursionError,
)


class WireValue(bytes):
    """A header value as it came: the octet of its type, then its own."""


class WireTable(dict[str, object]):
    """Header values by name; `wire` has each of them as it came.

    A value that cannot be read is a WireValue here too.
    """

    __slots__ = ("wire",)

    def __init__(self) -> None:
        super().__init__()
        self.wire: dict[str, WireValue] = {}


def read_short_string(data: bytes, at: int) -> tuple[int, str]:
    """Give where it ends, and the text; bytes that are not UTF-8 become lone surrogates."""
    end = at + 1 + data[at]
    return end, data[at + 1 : end].decode("utf-8", "surrogateescape")


def write_short_string(text: str) -> bytes:
    """Turn what `read_short_string` gave back into its bytes.

    Raises ValueError for more than 255 bytes.
    """
    encoded = text.encode("utf-8", "surrogateescape")
    if len(encoded) > _LONGEST_SHORT_STRING:
        raise ValueError("a short string has at most 255 bytes")
    return bytes((len(encoded),)) + encoded


def read_table(data: bytes, at: int) -> tuple[int, WireTable]:
    """Give where the table that starts at `at` ends, and its values.

    Raises one of UNREADABLE when it is not a table.
    """
    end = at + 4 + _length(data, at)
    at += 4
    table = WireTable()
    while at < end:
        start, name = read_short_string(data, at)
        at = start + 1 + _size(data, start)
        if at > end:
            raise ValueError("a value is longer than its table")
        wire = table.wire[name] = WireValue(data[start:at])
        table[name] = _opened(wire)
    return end, table


def write_table(values: Mapping[str, object]) -> bytes:
    """Write a table; a WireValue goes out as it came."""
    encoded = b"".join(write_short_string(name) + _written(value) for name, value in values.items())
    return len(encoded).to_bytes(4) + encoded


def _size(data: bytes, start: int) -> int:
    """Octets of the value whose type is at `start`, that one not counted."""
    kind = data[start : start + 1]
    return 4 + _length(data, start + 1) if kind in _WITH_LENGTH else _SIZES[kind]


def _length(data: bytes, start: int) -> int:
    return int.from_bytes(data[start : start + 4])


def _opened(wire: WireValue) -> object:
    kind = wire[:1]
    if kind in _NESTED and len(wire) > _LARGEST_NESTED:
        return wire
    try:
        return wire[5:].decode() if kind == b"S" else decode.embedded_value(wire)[1]
    except UNREADABLE:
        return wire


def _written(value: object) -> bytes:
    if isinstance(value, WireValue):
        return value
    if isinstance(value, str):
        encoded = value.encode("utf-8", "surrogateescape")
        return b"S" + len(encoded).to_bytes(4) + encoded
    return encode.encode_table_value(value)  # type: ignore[arg-type]  # raises TypeError for the rest
