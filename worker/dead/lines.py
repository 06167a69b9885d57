"""Letters as JSON lines, without loss: to look at, to keep, to carry to another cluster."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from worker.core.delivery import Properties
from worker.core.progress import rfc3339
from worker.core.reason import Reason
from worker.dead.letter import Letter
from worker.rabbit.wire.properties import Header, header_of, read_properties
from worker.rabbit.wire.table import WireTable

# Copies to other queues that a publisher asked for once are not asked for again; and how often a
# letter was handed out is the broker's to count.
_LEFT_OUT = frozenset({"CC", "BCC", "x-delivery-count", "x-acquired-count"})
# A content header begins with its class.
_BASIC = b"\x00\x3c"
_PREFIX = 14
_NOTHING = read_properties(_BASIC + bytes(12))
# Flags of its properties: the headers, and the others that a republished message keeps.
_HEADERS, _KEPT = 0x2000, 0xCEE8


class LineBroken(Exception):
    """A line is not as `line_of` writes it; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A letter as it is put back into its queue; `message_id` is its own, if it has one."""

    reason: Reason
    header: Header
    message_id: str | None
    body: bytes


def line_of(letter: Letter) -> bytes:
    """Write a letter as one line, with its newline.

    `header` is its content header as it travelled, in base64: everything that the readable
    fields beside it cannot show. `body` is text, or `body_base64` when it is not UTF-8.
    """
    properties = read_properties(letter.incoming.header)
    readable = {
        name: getattr(properties, name)
        for name in ("content_type", "content_encoding", "correlation_id", "reply_to",
                     "message_id", "type", "app_id", "priority", "timestamp")
        if getattr(properties, name) is not None
    }  # fmt: skip
    document = {
        **letter.summary(),
        **body_fields(letter),
        "routing_key": printable(letter.incoming.deliver.routing_key),
        "properties": printable(readable),
        "headers": printable(letter.headers),
        "header": base64.b64encode(letter.incoming.header).decode(),
    }
    return orjson.dumps(document) + b"\n"


def body_fields(letter: Letter) -> dict[str, str]:
    """Give the body as text, or as base64 when it is none."""
    try:
        return {"body": letter.body.decode()}
    except UnicodeDecodeError:
        return {"body": "", "body_base64": base64.b64encode(letter.body).decode()}


def restored_from(line: bytes) -> Restored:
    """Read a line. Raises LineBroken."""
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise LineBroken(f"not JSON: {error}") from None
    if not isinstance(document, dict):
        raise LineBroken("not a JSON object")
    reason, header = document.get("reason"), _bytes(document, "header")
    if reason not in tuple(Reason):
        raise LineBroken(f"reason must be one of {', '.join(Reason)}")
    properties = read_properties(header)
    if not _is_whole(header, properties):
        raise LineBroken("header is not the content header of a message")
    headers = properties.headers
    assert isinstance(headers, WireTable), "as the reader gives them"
    wire = {name: value for name, value in headers.wire.items() if name not in _LEFT_OUT}
    return Restored(
        Reason(reason), header_of(properties, wire), properties.message_id, _body(document)
    )


def printable(value: object) -> Any:
    """Turn what AMQP may carry into JSON values, for reading only."""
    if isinstance(value, Mapping):
        return {str(printable(name)): printable(each) for name, each in value.items()}
    if isinstance(value, list):
        return [printable(each) for each in value]
    if isinstance(value, bytes | bytearray):
        return f"base64:{base64.b64encode(value).decode()}"
    if isinstance(value, datetime):
        return rfc3339(value.timestamp())
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Decimal):
        return str(value)
    return value


def _is_whole(header: bytes, properties: Properties) -> bool:
    """Unreadable properties are read as none; that would lose them without a word."""
    if header[:2] != _BASIC or len(header) < _PREFIX:
        return False
    flags = int.from_bytes(header[12:_PREFIX])
    # Of properties that are none, a table of headers can only be an empty one, and comes first.
    has_table = flags & _HEADERS and any(header[_PREFIX : _PREFIX + 4])
    return properties != _NOTHING or not (flags & _KEPT or has_table)


def _body(document: Mapping[str, Any]) -> bytes:
    if "body_base64" in document:
        return _bytes(document, "body_base64")
    body = document.get("body")
    if not isinstance(body, str):
        raise LineBroken("body must be text")
    return body.encode()


def _bytes(document: Mapping[str, Any], name: str) -> bytes:
    value = document.get(name)
    try:
        return base64.b64decode(value if isinstance(value, str) else "!", validate=True)
    except (binascii.Error, ValueError):
        raise LineBroken(f"{name} must be base64, as `igsend dead export` writes it") from None
