"""What is certain about one call: whether a byte of it was handed out, and what came back."""

from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import StreamWriter

from worker.graph.punctual import SlotMissedError, has_left, has_passed

# A turn of the event loop passes between having a connection and writing to it; more when the
# process is held up just then. To stop a call there costs its connection.
PLAINLY_LATE_S = 0.006


@dataclass(slots=True)
class Evidence:
    """Filled in while the call is under way, read when it fails.

    `is_late`: its slot had passed before the first byte, and none was written.
    """

    is_written: bool = False
    is_late: bool = False
    answer: aiohttp.ClientResponse | None = None


class WitnessedBody(aiohttp.BytesPayload):
    """A JSON body that notes the moment the first byte of its request goes out.

    aiohttp holds the headers back until the body's first write and sends both together, so
    before this moment nothing has left; and it refuses to write to a transport that is closing,
    so then nothing leaves either. Trace hooks tell neither apart and cost more.
    """

    def __init__(self, data: bytes, evidence: Evidence) -> None:
        super().__init__(data, content_type="application/json")
        self._evidence = evidence

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        if has_passed(by_s=PLAINLY_LATE_S):
            self._evidence.is_late = True
            raise SlotMissedError
        if not _is_closing(writer):
            self._evidence.is_written = True
            has_left()
        await super().write_with_length(writer, content_length)


def _is_closing(writer: AbstractStreamWriter) -> bool:
    """True when nothing can be written any more; a writer of another kind gets no such credit."""
    if not isinstance(writer, StreamWriter):
        return False
    return writer.transport is None or writer.transport.is_closing()
