"""Makes the decoding of foreign message properties total.

pamqp raises on a timestamp beyond the year 9999, on a short string or header key that is not
UTF-8, and on properties nested too deeply. The exception ends the connection, the broker
delivers the message again, and so on until every neighbour in the prefetch window is suspect.
Producers in other languages do send such properties; here they become odd values instead.
"""

import struct

from pamqp import commands, decode, encode, header
from pamqp.common import FieldArray, FieldTable

_installed: list[bool] = []

# Table values that name their own length, and the most bytes any other takes, its type included.
_WITH_LENGTH = frozenset({b"S", b"A", b"F", b"x"})
_LONGEST_FIXED = 9


class WireTimestamp(int):
    """A timestamp exactly as the producer sent it, be it seconds, milliseconds or nonsense."""


def install() -> None:
    """Replace the decoders, once per process; connections opened afterwards use them."""
    if _installed:
        return
    _installed.append(True)
    decode.METHODS["timestamp"] = decode.TABLE_MAPPING[b"T"] = _timestamp
    decode.METHODS["shortstr"] = _short_text
    decode.METHODS["table"] = decode.TABLE_MAPPING[b"F"] = _table
    decode.METHODS["array"] = decode.TABLE_MAPPING[b"A"] = _array
    encode.METHODS["timestamp"] = _encode_timestamp
    header.ContentHeader.unmarshal = _unmarshal_header  # type: ignore[method-assign]  # on purpose


def _timestamp(data: bytes) -> tuple[int, WireTimestamp]:
    return 8, WireTimestamp(struct.unpack_from(">Q", data)[0])


def _encode_timestamp(value: object) -> bytes:
    if isinstance(value, int):
        return struct.pack(">Q", value)
    return encode.timestamp(value)  # type: ignore[arg-type]  # raises TypeError for the rest


def _short_text(data: bytes) -> tuple[int, str]:
    # One character for each odd byte: the text must fit into 255 bytes when it is written again.
    end = data[0] + 1
    return end, data[1:end].decode("utf-8", "replace").replace("\ufffd", "?")


def _table(data: bytes) -> tuple[int, FieldTable]:
    end = 4 + struct.unpack_from(">I", data)[0]
    offset = 4
    table: FieldTable = {}
    while offset < end:
        length, key = _short_text(data[offset : offset + 256])
        offset += length
        consumed, table[key] = decode.embedded_value(_next_value(data, offset))
        offset += consumed
    return end, table


def _array(data: bytes) -> tuple[int, FieldArray]:
    end = 4 + struct.unpack_from(">I", data)[0]
    offset = 4
    items: FieldArray = []
    while offset < end:
        consumed, item = decode.embedded_value(_next_value(data, offset))
        offset += consumed
        items.append(item)
    return end, items


def _next_value(data: bytes, offset: int) -> bytes:
    """Cut out the value at `offset`.

    Copying the whole rest each time would take seconds for a table with tens of thousands of
    entries, and the event loop stands still meanwhile.
    """
    if data[offset : offset + 1] in _WITH_LENGTH:
        (length,) = struct.unpack_from(">I", data, offset + 1)
        return data[offset : offset + 5 + length]
    return data[offset : offset + _LONGEST_FIXED]


def _unmarshal_header(self: header.ContentHeader, data: bytes) -> None:
    """As pamqp's, but a message whose properties are unreadable comes without properties."""
    self.class_id, self.weight, self.body_size = struct.unpack_from(">HHQ", data)
    try:
        offset, flags = self._get_flags(data[12:])
        self.properties.unmarshal(flags, data[12 + offset :])
    except (ValueError, TypeError, LookupError, struct.error, RecursionError):
        self.properties = commands.Basic.Properties()
