"""Makes reading foreign message properties total, and writing them again exact.

pamqp raises on a timestamp beyond the year 9999, on a short string or header key that is not
UTF-8, and on headers nested too deeply. The exception ends the connection, the broker delivers
the message again, and so on until every neighbour in the prefetch window is suspect. And what
it can read it would write otherwise: doubles shortened, long keys cut, byte strings refused.
"""

import struct
from collections.abc import Mapping

from pamqp import commands, decode, encode, header

_installed: list[bool] = []

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

_UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    OSError,
    struct.error,
    RecursionError,
)


class WireTimestamp(int):
    """A timestamp exactly as the producer sent it, be it seconds, milliseconds or nonsense."""


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


def install() -> None:
    """Replace the codecs, once per process; connections opened afterwards use them."""
    if _installed:
        return
    _installed.append(True)
    decode.METHODS["timestamp"] = decode.TABLE_MAPPING[b"T"] = _timestamp
    decode.METHODS["shortstr"] = _short_text
    decode.METHODS["table"] = _table  # type: ignore[assignment]  # its values are not all pamqp's
    encode.METHODS["timestamp"] = _encode_timestamp
    encode.METHODS["shortstr"] = _encode_short_text
    encode.METHODS["table"] = _encode_table
    header.ContentHeader.unmarshal = _unmarshal_header  # type: ignore[method-assign]  # on purpose


def _timestamp(data: bytes) -> tuple[int, WireTimestamp]:
    return 8, WireTimestamp(struct.unpack_from(">Q", data)[0])


def _encode_timestamp(value: object) -> bytes:
    if isinstance(value, int):
        return struct.pack(">Q", value)
    return encode.timestamp(value)  # type: ignore[arg-type]  # raises TypeError for the rest


def _short_text(data: bytes) -> tuple[int, str]:
    """Bytes that are not UTF-8 become lone surrogates, which `_encode_short_text` turns back."""
    end = 1 + data[0]
    return end, data[1:end].decode("utf-8", "surrogateescape")


def _encode_short_text(value: str) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"str required, received {type(value)}")
    text = value.encode("utf-8", "surrogateescape")
    if len(text) > 255:
        raise ValueError("a short string has at most 255 bytes")
    return bytes((len(text),)) + text


def _table(data: bytes) -> tuple[int, WireTable]:
    end = 4 + _length(data, 0)
    offset = 4
    table = WireTable()
    while offset < end:
        start = offset + 1 + data[offset]
        _, name = _short_text(data[offset:start])
        offset = start + 1 + _size(data, start)
        wire = table.wire[name] = WireValue(data[start:offset])
        table[name] = _opened(wire)
    return end, table


def _size(data: bytes, start: int) -> int:
    """Octets of the value whose type is at `start`, that one not counted."""
    kind = data[start : start + 1]
    return 4 + _length(data, start + 1) if kind in _WITH_LENGTH else _SIZES[kind]


def _length(data: bytes, start: int) -> int:
    return int.from_bytes(data[start : start + 4])


def _opened(wire: WireValue) -> object:
    if wire[:1] in _NESTED and len(wire) > _LARGEST_NESTED:
        return wire
    try:
        return decode.embedded_value(wire)[1]
    except _UNREADABLE:
        return wire


def _encode_table(table: Mapping[str, object] | None) -> bytes:
    parts = []
    for name, value in (table or {}).items():
        parts.append(_encode_short_text(name))
        is_wire = isinstance(value, WireValue)
        parts.append(value if is_wire else encode.encode_table_value(value))  # type: ignore[arg-type]
    encoded = b"".join(parts)
    return struct.pack(">I", len(encoded)) + encoded


def _unmarshal_header(self: header.ContentHeader, data: bytes) -> None:
    """As pamqp's, but a message whose properties are unreadable comes without properties."""
    self.class_id, self.weight, self.body_size = struct.unpack_from(">HHQ", data)
    try:
        offset, flags = self._get_flags(data[12:])
        self.properties.unmarshal(flags, data[12 + offset :])
    except _UNREADABLE:
        self.properties = commands.Basic.Properties()
