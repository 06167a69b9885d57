"""The reference page: channels, messages and fields, out of the AsyncAPI document and schemas."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from tests.contract.corpus import EXAMPLES, examples
from tests.contract.reference.fields import Row, anchor, rows_of, rows_of_values
from worker.asyncapi.document import asyncapi_document
from worker.asyncapi.properties import (
    OUTCOME_HEADERS,
    OUTCOME_PROPERTIES,
    REQUEST_HEADERS,
    REQUEST_PROPERTIES,
    Fields,
)
from worker.contract.schema_files import DEAD_LETTER_HEADERS, OUTCOME, SEND_REQUEST, schemas
from worker.core.reason import Reason
from worker.rabbit.names import Names

_DOCUMENT = asyncapi_document(Names("ig", 8))


class Section(NamedTuple):
    """A schema, which of its examples is shown, and which fields of that."""

    schema_id: str
    example: str | None = None
    shown: tuple[str, ...] = ("message",)
    inside: tuple[str, ...] = ()


_MESSAGE = "urn:igsend:message:v1"
_KIND = "urn:igsend:message:"
_ACTION = ("sender_action", "payload")
SECTIONS = (
    Section("urn:igsend:recipient:v1", "private-reply-live", ("recipient",)),
    Section(_MESSAGE),
    Section("urn:igsend:message:text:v1", "text"),
    Section("urn:igsend:message:quick-replies:v1", "quick-replies"),
    Section("urn:igsend:message:image:v1", "image"),
    Section("urn:igsend:message:images:v1", "images"),
    Section("urn:igsend:message:audio:v1", "audio"),
    Section("urn:igsend:message:video:v1", "video"),
    Section("urn:igsend:message:file:v1", "file"),
    Section("urn:igsend:message:sticker:v1", "sticker"),
    Section("urn:igsend:message:published-post:v1", "published-post"),
    Section("urn:igsend:message:template:v1"),
    Section("urn:igsend:message:generic-template:v1", "generic-template"),
    Section("urn:igsend:message:button-template:v1", "button-template"),
    Section("urn:igsend:template-buttons:v1", inside=("web-url", "postback")),
    Section("urn:igsend:private-reply:v1", "private-reply", ("recipient", "message")),
    Section("urn:igsend:action:v1"),
    Section("urn:igsend:action:react:v1", "react", _ACTION),
    Section("urn:igsend:action:unreact:v1", "unreact", _ACTION),
    Section("urn:igsend:action:presence:v1", "typing-on", _ACTION),
)
# Which of several a message is, the sections of the kinds say; their own fields tell nothing.
_WITHOUT_FIELDS = frozenset(
    {
        _MESSAGE,
        "urn:igsend:message:template:v1",
        "urn:igsend:private-reply:v1",
        "urn:igsend:action:v1",
    }
)

_INTRODUCTION = """\
# Reference

All that producers and operators meet on the broker. Made by `make reference` from `schemas/` and
the topology; `schemas/asyncapi.yaml` says the same to machines. How to begin is in the
[README](../README.md). What a schema cannot say, how to check a request, and what may change
within v1 is in [schemas/README.md](../schemas/README.md). With another `IGSEND_PREFIX` the names
begin with that instead of `ig`.
"""


def page() -> str:
    """Write the whole page."""
    return "\n".join([_INTRODUCTION, *_channels(), *_request(), *_outcome(), *_dead_letters()])


def _channels() -> Iterator[str]:
    yield "## Channels\n"
    rows = [
        ("you publish", "requests", "Send request, version 1"),
        ("you publish", "bulk", "Send request, version 1"),
        ("you consume", "outcomes", "Outcome, version 1"),
        ("you consume", "replies", "Outcome, version 1"),
    ]
    yield _table(
        ("", "where", "routing key", "message", "what for"),
        (
            (who, *_place(_DOCUMENT["channels"][name]), f"[{title}]({anchor(title)})", _what(name))
            for who, name, title in rows
        ),
    )


def _place(channel: dict[str, Any]) -> tuple[str, str]:
    exchange = channel["bindings"]["amqp"].get("exchange")
    if exchange is None:
        return "the queue in `reply_to`", ""
    return f"exchange `{exchange['name']}` ({exchange['type']})", f"`{channel['address']}`"


def _what(name: str) -> str:
    channel = _DOCUMENT["channels"][name]
    return f"{channel['title']}. {channel['description']}"


def _request() -> Iterator[str]:
    yield from _head(SEND_REQUEST)
    yield from _beside(REQUEST_PROPERTIES, REQUEST_HEADERS["properties"])
    one_of = schemas()[SEND_REQUEST]["$defs"]["one-thing-to-send"]["description"]
    yield f"Body: {one_of}\n"
    yield _fields(rows_of(SEND_REQUEST))
    yield _file("valid/every-field")
    for section in SECTIONS:
        yield from _section(section)


def _section(section: Section) -> Iterator[str]:
    yield from _head(section.schema_id, level="###")
    if section.schema_id == _MESSAGE:
        yield f"{_kinds()}\n"
    if section.schema_id not in _WITHOUT_FIELDS and not section.inside:
        yield _fields(rows_of(section.schema_id))
    for name in section.inside:
        definition = schemas()[section.schema_id]["$defs"][name]
        yield f"{definition['description']}\n"
        yield _fields(rows_of(f"{section.schema_id}#/$defs/{name}"))
    if section.example is not None:
        example = examples("valid")[section.example]
        yield _code({name: example[name] for name in section.shown if name in example})


def _kinds() -> str:
    kinds = [each.schema_id for each in SECTIONS if each.schema_id.startswith(_KIND)]
    kinds.remove(_MESSAGE)
    titles = [schemas()[kind]["title"] for kind in kinds]
    return "Kinds: " + " · ".join(f"[{title}]({anchor(title)})" for title in titles)


def _outcome() -> Iterator[str]:
    yield from _head(OUTCOME)
    yield from _beside(OUTCOME_PROPERTIES, OUTCOME_HEADERS["properties"])
    yield "Body:\n"
    yield _fields(rows_of(OUTCOME))
    for name in ("sent", "failed-rejected"):
        yield _file(f"outcome/{name}")


def _dead_letters() -> Iterator[str]:
    yield "## Dead letters\n"
    yield (
        "Body and properties are those of the request. Commands for looking and replaying: "
        "[operations](operations.md#dead-letters).\n"
    )
    channels = [_DOCUMENT["channels"][f"dead-{reason.value}"] for reason in Reason]
    yield _table(
        ("queue", "why, and what to do"),
        ((f"`{each['address']}`", each["description"]) for each in channels),
    )
    yield from _head(DEAD_LETTER_HEADERS, level="###")
    yield _fields(rows_of(DEAD_LETTER_HEADERS))
    yield _file("dead-letter-headers/account")


def _head(schema_id: str, level: str = "##") -> Iterator[str]:
    schema = schemas()[schema_id]
    yield f"{level} {schema['title']}\n"
    yield f"{schema['description']}\n"


def _beside(properties: Fields, headers: Any) -> Iterator[str]:
    yield "AMQP properties:\n"
    yield _fields(rows_of_values(properties))
    yield "Headers:\n"
    yield _fields(rows_of_values(headers))


def _fields(rows: Iterable[Row]) -> str:
    return _table(("field", "type", "limits", "meaning"), rows)


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _file(name: str) -> str:
    return _block((EXAMPLES / f"{name}.json").read_text().strip())


def _code(value: Any) -> str:
    return _block(json.dumps(value, ensure_ascii=False, indent=2))


def _block(text: str) -> str:
    return f"```json\n{text}\n```\n"
