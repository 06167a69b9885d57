"""The frames of AMQP 0-9-1 that carry messages and settle them."""

import struct
from typing import NamedTuple

from worker.rabbit.wire.table import read_short_string, write_short_string

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
KINDS = frozenset((METHOD, HEADER, BODY, HEARTBEAT))
END = 0xCE

# What is in front of every payload: kind, channel, size. Behind it is END.
HEAD = struct.Struct(">BHL")
A_HEARTBEAT = HEAD.pack(HEARTBEAT, 0, 0) + bytes((END,))

# Class 60 is `basic`; the methods of it that are read and written here.
_METHOD = struct.Struct(">HH")
DELIVER, RETURN, ACK, NACK = (60, 60), (60, 50), (60, 80), (60, 120)
_SETTLE = struct.Struct(">BHLHHQBB")
_SETTLE_SIZE = 13
_REQUEUE = 2
_PUBLISH = b"\x00\x3c\x00\x28\x00\x00"
_MANDATORY = 1


def method_of(payload: bytes) -> tuple[int, int]:
    """Class and method of a method frame."""
    class_id, method_id = _METHOD.unpack_from(payload)
    return class_id, method_id


def ack_frame(channel: int, tag: int) -> bytes:
    """Write `basic.ack` of one delivery."""
    return _SETTLE.pack(METHOD, channel, _SETTLE_SIZE, *ACK, tag, 0, END)


def requeue_frame(channel: int, tag: int) -> bytes:
    """Write `basic.nack` that puts one delivery back into its queue."""
    return _SETTLE.pack(METHOD, channel, _SETTLE_SIZE, *NACK, tag, _REQUEUE, END)


def publish_frames(
    channel: int, route: bytes, header: bytes, body: bytes, *, largest: int
) -> bytes:
    """Write the frames of one publish; `route` is from `route_of`.

    `largest` is the number of octets that the broker takes in one frame.
    """
    frames = [_frame(METHOD, channel, route), _frame(HEADER, channel, header)]
    step = largest - HEAD.size - 1
    frames += [_frame(BODY, channel, body[at : at + step]) for at in range(0, len(body), step)]
    return b"".join(frames)


def route_of(exchange: str, routing_key: str, *, is_mandatory: bool) -> bytes:
    """Write the payload of `basic.publish`. Raises ValueError for a name over 255 bytes."""
    names = write_short_string(exchange) + write_short_string(routing_key)
    return _PUBLISH + names + bytes((_MANDATORY if is_mandatory else 0,))


class Deliver(NamedTuple):
    """What `basic.deliver` says of the message that follows it."""

    consumer: str
    tag: int
    is_redelivered: bool
    exchange: str
    routing_key: str


def deliver_of(payload: bytes) -> Deliver:
    """Read a `basic.deliver`."""
    at, consumer = read_short_string(payload, _METHOD.size)
    tag = int.from_bytes(payload[at : at + 8])
    is_redelivered = bool(payload[at + 8])
    at, exchange = read_short_string(payload, at + 9)
    at, routing_key = read_short_string(payload, at)
    return Deliver(consumer, tag, is_redelivered, exchange, routing_key)


def settled_of(payload: bytes) -> tuple[int, bool]:
    """Read the tag of a `basic.ack` or `basic.nack`, and whether it means all up to that one."""
    return int.from_bytes(payload[4:12]), bool(payload[12] & 1)


def _frame(kind: int, channel: int, payload: bytes) -> bytes:
    return HEAD.pack(kind, channel, len(payload)) + payload + b"\xce"
