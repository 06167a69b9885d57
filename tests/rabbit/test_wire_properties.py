"""Content headers against pamqp's own reading and writing, and against what no library reads."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands, header

from worker.core.delivery import Properties
from worker.rabbit.wire.properties import body_size, header_of, read_properties
from worker.rabbit.wire.table import WireTable, WireValue

SHORT = st.text(max_size=60).filter(lambda text: len(text.encode()) < 256)
TEXTS = st.none() | SHORT
VALUES = (
    st.booleans()
    | st.integers(-(2**31), 2**31 - 1)
    | st.text(max_size=400)
    | st.none()
    | st.lists(st.text(max_size=5), max_size=3)
)


@st.composite
def some_properties(draw: Any) -> Properties:
    return Properties(
        content_type=draw(TEXTS),
        content_encoding=draw(TEXTS),
        correlation_id=draw(TEXTS),
        reply_to=draw(TEXTS),
        type=draw(TEXTS),
        app_id=draw(TEXTS),
        priority=draw(st.none() | st.integers(0, 255)),
        timestamp=draw(st.none() | st.integers(0, 2**64 - 1)),
    )


@given(some_properties(), st.dictionaries(SHORT, VALUES, max_size=5), st.integers(0, 2**40))
def test_what_is_written_is_read_again(
    properties: Properties, headers: dict[str, Any], size: int
) -> None:
    payload = header_of(properties, headers).encode(message_id="mine", size=size)
    read = read_properties(payload)
    assert body_size(payload) == size
    assert read.headers == headers
    assert read.message_id == "mine"
    for name in ("content_type", "correlation_id", "reply_to", "type", "app_id", "priority"):
        assert getattr(read, name) == getattr(properties, name)
    assert read.timestamp == properties.timestamp


@given(some_properties(), st.dictionaries(SHORT, VALUES, max_size=5))
def test_pamqp_reads_what_is_written(properties: Properties, headers: dict[str, Any]) -> None:
    payload = header_of(
        Properties(content_type=properties.content_type, reply_to=properties.reply_to), headers
    ).encode(message_id="mine", size=7)
    read = header.ContentHeader()
    read.unmarshal(payload)
    assert read.body_size == 7
    assert read.properties.delivery_mode == 2
    assert read.properties.message_id == "mine"
    assert read.properties.content_type == properties.content_type
    assert read.properties.reply_to == properties.reply_to
    assert (read.properties.headers or {}) == headers


@given(st.dictionaries(st.text("aZ-.", min_size=1, max_size=30), VALUES, max_size=5), TEXTS)
def test_what_pamqp_writes_is_read_and_goes_out_as_it_came(
    headers: dict[str, Any], expiration: str | None
) -> None:
    written = commands.Basic.Properties(
        headers=headers or None, expiration=expiration or None, user_id="guest", priority=3
    )
    payload = header.ContentHeader(0, 5, written).marshal()
    read = read_properties(payload)
    assert read.headers == headers
    assert read.priority == 3
    assert isinstance(read.headers, WireTable)
    again = read_properties(header_of(read, read.headers.wire).encode(message_id="x", size=5))
    assert isinstance(again.headers, WireTable)
    assert again.headers.wire == read.headers.wire


@given(st.binary(max_size=200))
def test_reading_is_total(payload: bytes) -> None:
    read = read_properties(payload)
    assert isinstance(read.headers, WireTable)


@given(st.integers(1, 0xFFFF), st.binary(max_size=80))
def test_reading_is_total_whatever_the_flags_claim(flags: int, rest: bytes) -> None:
    payload = b"\x00\x3c\x00\x00" + bytes(8) + flags.to_bytes(2) + rest
    assert isinstance(read_properties(payload).headers, WireTable)


def test_properties_that_are_cut_off_are_none() -> None:
    whole = header_of(Properties(content_type="a/b", app_id="somebody"), {}).encode(
        message_id="id", size=1
    )
    assert read_properties(whole).app_id == "somebody"
    assert read_properties(whole[:-3]) == Properties(headers=WireTable())


def test_text_that_is_no_utf8_comes_back_as_the_same_bytes() -> None:
    raw = b"\x00\x3c\x00\x00" + bytes(8) + (1 << 10).to_bytes(2) + b"\x03a\xff\xfe"
    read = read_properties(raw)
    assert read.correlation_id == "a\udcff\udcfe"
    assert b"\x03a\xff\xfe" in header_of(read, {}).encode(message_id="", size=0)


def test_a_value_of_an_unknown_shape_is_kept_closed() -> None:
    table = b"\x01kF" + (5000).to_bytes(4) + bytes(5000)
    raw = b"\x00\x3c\x00\x00" + bytes(8) + (1 << 13).to_bytes(2) + len(table).to_bytes(4) + table
    value = read_properties(raw).headers["k"]
    assert isinstance(value, WireValue)
    assert value == table[2:]
