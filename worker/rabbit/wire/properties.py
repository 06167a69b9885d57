"""Content headers: a message's properties as they travel."""

import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple

from worker.core.delivery import Properties
from worker.rabbit.wire.table import (
    UNREADABLE,
    WireTable,
    read_short_string,
    read_table,
    write_short_string,
    write_table,
)

_PREFIX = struct.Struct(">HHQH")
_BASIC = 60
_PERSISTENT = 2

_CONTENT_TYPE, _CONTENT_ENCODING, _HEADERS, _DELIVERY_MODE = 1 << 15, 1 << 14, 1 << 13, 1 << 12
_PRIORITY, _CORRELATION_ID, _REPLY_TO, _EXPIRATION = 1 << 11, 1 << 10, 1 << 9, 1 << 8
_MESSAGE_ID, _TIMESTAMP, _TYPE, _USER_ID = 1 << 7, 1 << 6, 1 << 5, 1 << 4
_APP_ID, _CLUSTER_ID = 1 << 3, 1 << 2


def _octet(data: bytes, at: int) -> tuple[int, int]:
    return at + 1, data[at]


def _timestamp(data: bytes, at: int) -> tuple[int, int]:
    """Exactly as the producer sent it, be it seconds, milliseconds or nonsense."""
    return at + 8, int.from_bytes(data[at : at + 8])


_FIELDS: tuple[tuple[int, str, Callable[[bytes, int], tuple[int, object]]], ...] = (
    (_CONTENT_TYPE, "content_type", read_short_string),
    (_CONTENT_ENCODING, "content_encoding", read_short_string),
    (_HEADERS, "headers", read_table),
    (_DELIVERY_MODE, "", _octet),
    (_PRIORITY, "priority", _octet),
    (_CORRELATION_ID, "correlation_id", read_short_string),
    (_REPLY_TO, "reply_to", read_short_string),
    (_EXPIRATION, "", read_short_string),
    (_MESSAGE_ID, "message_id", read_short_string),
    (_TIMESTAMP, "timestamp", _timestamp),
    (_TYPE, "type", read_short_string),
    (_USER_ID, "", read_short_string),
    (_APP_ID, "app_id", read_short_string),
    (_CLUSTER_ID, "", read_short_string),
)


def body_size(header: bytes) -> int:
    """Octets of the body that follows this content header."""
    return int.from_bytes(header[4:12])


def read_properties(header: bytes) -> Properties:
    """Read a content header; `headers` is a WireTable.

    Total: a message whose properties are unreadable comes without properties.
    """
    values: dict[str, object] = {"headers": WireTable()}
    try:
        flags = _PREFIX.unpack_from(header)[3]
        at = _PREFIX.size
        for bit, name, read in _FIELDS:
            if flags & bit:
                at, value = read(header, at)
                if name:
                    values[name] = value
        if at > len(header):
            raise ValueError("the properties are cut off")
    except UNREADABLE:
        values = {"headers": WireTable()}
    return Properties(**values)  # type: ignore[arg-type]  # by the table above


class Header(NamedTuple):
    """The content header of a persistent message to publish, but for its message id."""

    flags: int
    before: bytes
    after: bytes

    def __len__(self) -> int:
        return _PREFIX.size + len(self.before) + len(self.after)

    def encode(self, *, message_id: str, size: int) -> bytes:
        """Write it for a body of `size` octets."""
        prefix = _PREFIX.pack(_BASIC, 0, size, self.flags)
        return prefix + self.before + write_short_string(message_id) + self.after


def header_of(properties: Properties, headers: Mapping[str, object]) -> Header:
    """Write `properties`, with `headers` for theirs.

    Left out are `message_id` (each publish has a fresh one), `expiration` (it would shorten a
    delay) and `user_id` (the broker refuses another user's).
    """
    flags = _DELIVERY_MODE | _MESSAGE_ID
    before, after = [], []
    for bit, text in (
        (_CONTENT_TYPE, properties.content_type),
        (_CONTENT_ENCODING, properties.content_encoding),
    ):
        if text is not None:
            flags |= bit
            before.append(write_short_string(text))
    if headers:
        flags |= _HEADERS
        before.append(write_table(headers))
    before.append(bytes((_PERSISTENT,)))
    if properties.priority is not None:
        flags |= _PRIORITY
        before.append(bytes((properties.priority,)))
    for bit, text in (
        (_CORRELATION_ID, properties.correlation_id),
        (_REPLY_TO, properties.reply_to),
    ):
        if text is not None:
            flags |= bit
            before.append(write_short_string(text))
    if properties.timestamp is not None:
        flags |= _TIMESTAMP
        after.append(properties.timestamp.to_bytes(8))
    for bit, text in ((_TYPE, properties.type), (_APP_ID, properties.app_id)):
        if text is not None:
            flags |= bit
            after.append(write_short_string(text))
    return Header(flags, b"".join(before), b"".join(after))
