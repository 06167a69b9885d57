"""Whatever lies in a dead-letter queue can be looked at, and carried elsewhere as it is."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dead.letters import DIED, DIED_AT, a_letter, incoming
from tests.support.builders import ACCOUNT_ID, a_document
from worker.clock import SystemClock
from worker.contract.validator import RequestValidator
from worker.core.reason import Reason
from worker.dead.letter import Letter
from worker.dead.lines import LineBroken, body_fields, line_of, printable, restored_from
from worker.dead.order import Clerk
from worker.dead.selection import Selection, where_from
from worker.pipeline.read import Reader
from worker.rabbit.names import Names
from worker.rabbit.wire.properties import read_properties
from worker.rabbit.wire.table import WireTable

CLERK = Clerk(Names("ig", 2), Reader(RequestValidator(), SystemClock()))
EVERY_FILTER = Selection(
    accounts=frozenset({"1"}),
    codes=frozenset({(190, None)}),
    ids=frozenset({"1"}),
    since=0.0,
    until=1e12,
    where=(where_from("a.0.b=1"),),
)
# Every octet that begins a value in a header table, and bytes that may follow it.
_VALUES = st.builds(
    lambda kind, rest: bytes((kind,)) + rest, st.sampled_from(b"SxAFtbBsuIilfdDTV"), st.binary()
)
NAMES = (
    "died-at",
    "code",
    "subcode",
    "attempts",
    "problems",
    "sent-parts",
    "replay-count",
    "detail",
)


def _header(entries: list[tuple[str, bytes]]) -> bytes:
    table = b"".join(bytes((len(name),)) + name.encode() + value for name, value in entries)
    return b"\x00\x3c\x00\x00" + bytes(8) + b"\x20\x00" + len(table).to_bytes(4) + table


def _look_at_everything(letter: Letter) -> None:
    for each in (EVERY_FILTER, *(Selection(where=(where,)) for where in EVERY_FILTER.where)):
        assert each.matches(letter, CLERK.kinds_of) in (True, False)
    shown = {**letter.summary(), **body_fields(letter)}
    assert orjson.loads(orjson.dumps(shown)).keys() == shown.keys()


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_a_letter(header: bytes, body: bytes) -> None:
    _look_at_everything(Letter(incoming(header, body), Reason.ACCOUNT))


@given(
    st.lists(st.tuples(st.sampled_from(NAMES).map(lambda name: f"x-igsend-{name}"), _VALUES)),
    st.binary(max_size=50),
)
def test_headers_of_ours_may_hold_anything(entries: list[tuple[str, bytes]], body: bytes) -> None:
    _look_at_everything(Letter(incoming(_header(entries), body), Reason.ACCOUNT))


@given(st.text(max_size=40) | st.datetimes(timezones=st.timezones()).map(datetime.isoformat))
def test_any_moment_of_death_can_be_shown(text: str) -> None:
    letter = a_letter(headers={"x-igsend-died-at": text})
    assert letter.died_at is None or isinstance(letter.summary()["died_at"], str)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(JSON, st.text(max_size=12))
def test_any_document_can_be_asked_for_any_path(document: object, path: str) -> None:
    letter = a_letter(orjson.dumps(document))
    try:
        where = where_from(f"{path}=1")
    except ValueError:
        return
    assert Selection(where=(where,)).matches(letter, CLERK.kinds_of) in (True, False)


def test_letter_says_what_its_headers_say() -> None:
    letter = a_letter(headers={"x-igsend-sent-parts": '["mid-1", "mid-2"]'})
    assert letter.id == "order-1"
    assert letter.account_id == ACCOUNT_ID
    assert (letter.code, letter.subcode) == (190, 463)
    assert letter.died_at == DIED
    assert letter.sent_parts == 2
    assert letter.summary()["died_at"] == DIED_AT.replace("Z", ".000Z")
    assert letter.is_safe_to_replay


def test_broker_notes_when_it_buried_a_letter_itself() -> None:
    death = {"queue": "ig.send.v1.00", "time": datetime.fromisoformat(DIED_AT)}
    letter = a_letter(reason=Reason.SUSPECT, headers={"x-igsend-died-at": "", "x-death": [death]})
    assert letter.died_at == DIED
    assert not letter.is_safe_to_replay


def test_letter_in_doubt_is_not_safe_whatever_it_died_of() -> None:
    assert not a_letter(headers={"x-igsend-unknown-since": DIED_AT}).is_safe_to_replay


@pytest.mark.parametrize(
    "body", ['{"id": "ø"}'.encode(), b"", b"\xff\x00", b"{", orjson.dumps(a_document())]
)
def test_exported_letter_comes_back_byte_for_byte(body: bytes) -> None:
    headers = {
        "tenant": 7,
        "weight": 1.5,
        "raw": bytearray(b"\x00\xff"),
        "deep": {"a": [True, None]},
    }
    letter = a_letter(body, headers=headers, correlation_id="c", app_id="crm", message_id="mine")
    restored = restored_from(line_of(letter))
    assert restored.reason is Reason.ACCOUNT
    assert restored.body == body
    assert restored.message_id == "mine"
    again = restored.header.encode(message_id="mine", size=len(body))
    assert again == letter.incoming.header


@given(st.lists(st.tuples(st.text("abc", min_size=1, max_size=3), _VALUES)), st.binary())
def test_export_keeps_every_header_that_can_be_read(
    entries: list[tuple[str, bytes]], body: bytes
) -> None:
    letter = Letter(incoming(_header(entries), body), Reason.EXPIRED)
    line = line_of(letter)
    assert line.count(b"\n") == 1
    theirs = read_properties(letter.incoming.header).headers
    assert isinstance(theirs, WireTable)
    if not theirs and entries:
        with pytest.raises(LineBroken, match="content header"):
            restored_from(line)
        return
    restored = restored_from(line)
    written = read_properties(restored.header.encode(message_id="m", size=0)).headers
    assert isinstance(written, WireTable)
    assert written.wire == theirs.wire
    assert restored.body == body


@pytest.mark.parametrize(
    "properties", ["0000", "100002", "200000000000", "30000000000002", "0008036d6f6d"]
)
def test_message_with_few_properties_or_none_comes_back(properties: str) -> None:
    header = b"\x00\x3c\x00\x00" + bytes(8) + bytes.fromhex(properties)
    restored = restored_from(line_of(Letter(incoming(header, b"{}"), Reason.INVALID)))
    assert restored.body == b"{}"


def test_copies_to_other_queues_are_not_asked_for_again() -> None:
    restored = restored_from(line_of(a_letter(headers={"CC": ["elsewhere"], "tenant": 1})))
    headers = read_properties(restored.header.encode(message_id="m", size=0)).headers
    assert "tenant" in headers
    assert "CC" not in headers


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"reason": "gone"}, "reason must be one of invalid"),
        ({"header": 7}, "header must be base64"),
        ({"header": "%%"}, "header must be base64"),
        ({"header": "AAAA"}, "not the content header"),
        ({"body": None}, "body must be text"),
        ({"body_base64": "?"}, "body_base64 must be base64"),
    ],
)
def test_line_of_another_form_is_refused(changes: dict[str, Any], wrong: str) -> None:
    line = orjson.dumps(orjson.loads(line_of(a_letter())) | changes)
    with pytest.raises(LineBroken, match=wrong):
        restored_from(line)


@pytest.mark.parametrize("line", [b"{", b"[]", b"\xff", b"7"])
def test_line_that_is_no_object_is_refused(line: bytes) -> None:
    with pytest.raises(LineBroken, match="JSON"):
        restored_from(line)


def test_every_value_that_amqp_knows_can_be_printed() -> None:
    values = [b"\xff", Decimal("1.5"), datetime.fromisoformat(DIED_AT), "a\udcff", [None, {"b": 1}]]
    expected = ["base64:/w==", "1.5", DIED_AT.replace("Z", ".000Z"), "a?", [None, {"b": 1}]]
    assert orjson.loads(orjson.dumps(printable(values))) == expected
