"""The two habits of aiohttp on which "certainly not sent" rests."""

import asyncio
from typing import cast

import aiohttp
import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import StreamWriter
from multidict import CIMultiDict

from worker.graph.evidence import Evidence, WitnessedBody

BODY = b'{"recipient":{"id":"1"}}'


class RecordingTransport(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_ending = False

    def write(self, data: object) -> None:
        self.written += bytes(cast(bytes, data))

    def is_closing(self) -> bool:
        return self.is_ending


@pytest.fixture
async def transport() -> RecordingTransport:
    return RecordingTransport()


def writer_to(transport: RecordingTransport) -> StreamWriter:
    protocol = BaseProtocol(asyncio.get_running_loop())
    protocol.transport = transport
    return StreamWriter(protocol, asyncio.get_running_loop())


async def test_headers_are_held_back_until_the_body_is_written(
    transport: RecordingTransport,
) -> None:
    writer, evidence = writer_to(transport), Evidence()
    await writer.write_headers("POST / HTTP/1.1", CIMultiDict({"Host": "e.org"}))
    assert (transport.written, evidence.is_written) == (b"", False)
    await WitnessedBody(BODY, evidence).write_with_length(writer, len(BODY))
    assert evidence.is_written
    assert transport.written == b"POST / HTTP/1.1\r\nHost: e.org\r\n\r\n" + BODY


async def test_nothing_is_written_to_a_transport_that_is_closing(
    transport: RecordingTransport,
) -> None:
    writer, evidence = writer_to(transport), Evidence()
    await writer.write_headers("POST / HTTP/1.1", CIMultiDict({"Host": "e.org"}))
    transport.is_ending = True
    with pytest.raises(aiohttp.ClientConnectionResetError):
        await WitnessedBody(BODY, evidence).write_with_length(writer, len(BODY))
    assert (transport.written, evidence.is_written) == (b"", False)
