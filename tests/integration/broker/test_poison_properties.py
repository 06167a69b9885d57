"""Properties that no client library would write harm no neighbour, and are kept as they are."""

import struct
from typing import Any

import pytest

from tests.support.raw_amqp import RawMessage, long, raw_amqp, short, table
from tests.support.stage import Stage, a_message, a_text
from tests.support.waiting import eventually
from worker.core.reason import Reason

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

NEIGHBOURS = 8
SECONDS = 1_795_340_000
FRAME_MAX = 131_072


def timestamp(value: int) -> bytes:
    return value.to_bytes(8)


def headers(**values: bytes) -> dict[str, bytes]:
    return {"headers": table({name.encode(): value for name, value in values.items()})}


def nested(depth: int, *, kind: bytes) -> bytes:
    """A table in a table in a table, or arrays, `depth` times."""
    value = b"V"
    for _ in range(depth):
        value = long(short("k") + value if kind == b"F" else value, kind=kind)
    return value


def near_the_frame_limit() -> dict[str, bytes]:
    """Headers that fill the frame together with the properties that every message here has."""
    other = len(a_message(b"").properties["content_type"]) + 1
    fixed = len(table({b"k": long(b"")})) + 12 + 2 + other
    return {"headers": table({b"k": long(b"x" * (FRAME_MAX - 8 - fixed))})}


POISONS: dict[str, dict[str, bytes]] = {
    "microseconds": {"timestamp": timestamp(SECONDS * 10**6)},
    "nanoseconds": {"timestamp": timestamp(SECONDS * 10**9)},
    "2^62": {"timestamp": timestamp(2**62)},
    "2^64-1": {"timestamp": timestamp(2**64 - 1)},
    "microseconds_in_a_header": headers(at=b"T" + timestamp(SECONDS * 10**6)),
    "2^64-1_in_a_header": headers(at=b"T" + timestamp(2**64 - 1)),
    "2^62_in_a_nested_header": headers(a=long(b"T" + timestamp(2**62), kind=b"A")),
    "message_id_not_utf8": {"message_id": short(b"\xff\xfe\x00")},
    "long_message_id_not_utf8": {"message_id": short(b"\xff" * 255)},
    "correlation_id_not_utf8": {"correlation_id": short(b"\xff\xfe\x00")},
    "long_correlation_id_not_utf8": {"correlation_id": short(b"\xff" * 255)},
    "reply_to_not_utf8": {"reply_to": short(b"\xff\xfe\x00")},
    "long_reply_to_not_utf8": {"reply_to": short(b"\xff" * 255)},
    "type_and_app_id_not_utf8": {"type": short(b"\x80" * 255), "app_id": short(b"\xc3\x28")},
    "content_type_not_utf8": {"content_type": short(b"\xff" * 255)},
    "header_key_not_utf8": {"headers": table({b"\xff\xfekey": long("v"), b"\xc0": b"V"})},
    "long_header_key_not_utf8": {"headers": table({b"\xff" * 255: long("v")})},
    "header_value_not_utf8": headers(v=long(b"\xff\xfe\x00")),
    "header_key_of_128": {"headers": table({b"k" * 128: long("v")})},
    "header_keys_of_255": {"headers": table({b"k" * 254 + end: long("v") for end in (b"1", b"2")})},
    "empty_header_key": {"headers": table({b"": long("v")})},
    "tables_40_deep": headers(t=nested(40, kind=b"F")),
    **{f"tables_{n}_deep": headers(t=nested(n, kind=b"F")) for n in (200, 320, 330, 340, 1000)},
    "arrays_1000_deep": headers(t=nested(1000, kind=b"A")),
    "tables_10000_deep": headers(t=nested(10_000, kind=b"F")),
    "headers_near_the_frame_limit": near_the_frame_limit(),
    "18000_headers": {"headers": table({b"%04x" % n: b"V" for n in range(18_000)})},
    "floats": headers(
        single=b"f" + struct.pack(">f", 1.1),
        double=b"d" + struct.pack(">d", 1e300),
    ),
    "decimals": headers(small=b"D\x02" + bytes(4), largest=b"D\xff\xff\xff\xff\xff"),
    "arrays": headers(a=long(b"t\x01" + b"V" + long("x") + b"b\xff", kind=b"A"), b=b"A" + bytes(4)),
    "void": headers(v=b"V"),
    "bytes": headers(x=long(b"\x00\xff", kind=b"x")),
    "integers": headers(
        b=b"b\x80", s=b"s\x80\x00", I=b"I\x80\x00\x00\x00",
        l=b"l\x80" + bytes(7), five=b"l" + timestamp(5),
    ),
    "unsigned": headers(B=b"B\xff", u=b"u\xff\xff", i=b"i\xff\xff\xff\xff"),
    "booleans": headers(yes=b"t\x01", no=b"t\x00"),
    "priority_255": {"priority": b"\xff"},
    "cluster_id": {"cluster_id": short("cluster")},
    "empty_strings": {"message_id": short(""), "correlation_id": short(""), "reply_to": short("")},
    "trace_near_the_frame_limit": headers(traceparent=long("0" * 120_000)),
}  # fmt: skip
# What a republished message does not keep, each for its reason.
DROPPED = {"message_id", "delivery_mode", "cluster_id", "headers"}
TOO_BIG = {"headers_near_the_frame_limit", "trace_near_the_frame_limit"}


def is_sent(stage: Stage, document: dict[str, Any]) -> int:
    return sum(m.recipient_id == document["recipient"]["id"] for m in stage.sandbox.accepted)


@pytest.mark.parametrize("name", POISONS)
async def test_odd_properties_harm_no_neighbour_and_are_kept(
    name: str, shared_stage: Stage
) -> None:
    stage, poison = shared_stage, POISONS[name]
    before = [stage.live.link_changes(state) for state in ("up", "down")]
    good = a_text()
    bad = a_text(message={"text": ""})
    neighbours = [a_text() for _ in range(NEIGHBOURS)]
    messages = [a_message(document) for document in neighbours]
    odd = [a_message(good, **poison), a_message(bad, **poison)]
    already, accepted = len(await stage.look()), len(stage.sandbox.accepted)
    await stage.publish(*messages[:4], *odd, *messages[4:])
    await stage.outcome_count(already + NEIGHBOURS + 2)
    await stage.idle(sent=accepted + NEIGHBOURS + 1)

    assert [is_sent(stage, document) for document in (good, bad)] == [1, 0]
    assert {is_sent(stage, document) for document in neighbours} == {1}
    outcomes = (await stage.look())[already:]
    assert sorted(o["id"] for o in outcomes) == sorted(d["id"] for d in (good, bad, *neighbours))
    (letter,) = await stage.dead(Reason.INVALID)
    check_kept(odd[1], letter, is_too_big=name in TOO_BIG)
    assert [stage.live.link_changes(state) for state in ("up", "down")] == before
    assert not stage.live.logged("the worker had an internal error; please report this as a bug")
    assert not stage.live.logged("publish repeated")


def check_kept(sent: RawMessage, letter: RawMessage, *, is_too_big: bool) -> None:
    wanted = {n: v for n, v in sent.properties.items() if n not in DROPPED}
    assert {n: v for n, v in letter.properties.items() if n not in DROPPED} == wanted
    assert letter.body == sent.body
    assert letter.foreign_headers == ({} if is_too_big else sent.headers)
    assert letter.plain_headers.get("x-igsend-producer-headers-dropped", False) is is_too_big


async def test_copies_and_broker_headers_of_a_producer_are_not_repeated(
    shared_stage: Stage,
) -> None:
    """CC and BCC would publish again to others; x-death makes the delay queues see a cycle."""
    stage = shared_stage
    carbon = long(long("igsend.nowhere"), kind=b"A")
    death = long(long(short("count") + b"l" + timestamp(9), kind=b"F"), kind=b"A")
    poison = headers(CC=carbon, BCC=carbon, kept=b"V") | {}
    poison["headers"] = table(
        {
            b"CC": carbon,
            b"BCC": carbon,
            b"kept": b"V",
            b"x-death": death,
            b"x-first-death-queue": long("q"),
        }
    )
    good, bad = a_text(), a_text(message={"text": ""})
    await stage.publish(a_message(good, **poison), a_message(bad, **poison))
    await stage.idle()
    letters = await stage.dead(Reason.INVALID)
    assert is_sent(stage, good) == 1
    assert {tuple(letter.foreign_headers) for letter in letters} == {(b"kept",)}


STRANGERS = {
    "attempts_in_words": {b"x-igsend-attempts": long("seven")},
    "attempts_below_zero": {b"x-igsend-attempts": b"b\xff"},
    "attempts_as_a_table": {b"x-igsend-attempts": b"F" + bytes(4)},
    "parts_that_are_no_json": {b"x-igsend-sent-parts": long("[")},
    "parts_10000_deep": {b"x-igsend-sent-parts": long("[" * 10_000)},
    "parts_not_utf8": {b"x-igsend-sent-parts": long(b"\xff\xfe")},
    "a_year_without_end": {b"x-igsend-first-seen": long("99999-01-01T00:00:00Z")},
    "all_parts_sent": {b"x-igsend-sent-parts": long('["mid"]')},
}


@pytest.mark.parametrize("name", STRANGERS)
async def test_headers_of_ours_that_a_stranger_wrote_make_it_invalid(
    name: str, shared_stage: Stage
) -> None:
    stage = shared_stage
    forged, neighbour = a_text(), a_text()
    poison = {"headers": table({**STRANGERS[name], b"kept": b"V"})}
    await stage.publish(a_message(forged, **poison), a_message(neighbour))
    await stage.idle()
    (letter,) = await stage.dead(Reason.INVALID)
    assert (is_sent(stage, forged), is_sent(stage, neighbour)) == (0, 1)
    assert "message header" in str(letter.plain_headers["x-igsend-detail"])
    assert letter.foreign_headers == {b"kept": b"V"}
    assert stage.live.link_changes("down") == 0


async def test_a_routing_key_that_is_no_text_is_as_good_as_any(shared_stage: Stage) -> None:
    stage, document = shared_stage, a_text()
    async with raw_amqp(stage.broker.amqp_url) as client:
        for key in (b"\xff\xfe", b"k" * 255, b""):
            message = a_message(document)
            await client.publish(message, exchange=stage.names.requests, routing_key=key)
    await stage.idle()
    await eventually(lambda: is_sent(stage, document) == 1)
    assert stage.live.link_changes("down") == 0
