"""Between AMQP messages and deliveries: what is read, and what a republished message keeps."""

from collections.abc import Mapping

from worker.core.delivery import Delivery, Lane
from worker.core.progress import PREFIX, progress_from
from worker.rabbit.wire.deliveries import Incoming
from worker.rabbit.wire.properties import Header, header_of, read_properties
from worker.rabbit.wire.table import WireTable

# Headers that a broker writes or acts on. Copying them back loses messages (x-death is taken
# for a cycle), or sends copies where nobody asked for one (CC, BCC).
_BROKER_HEADERS = (
    "x-death",
    "x-first-death-",
    "x-last-death-",
    "x-delivery-count",
    "x-acquired-count",
    "x-received-from",
    "x-routed-by",
    "x-shovelled",
    "x-delay",
    "x-opt-",
)
_COPY_HEADERS = frozenset({"CC", "BCC"})

# Properties travel in a single frame; the broker closes the connection over a larger one. A
# producer that fills the frame (128 KiB by default) leaves no room for our own headers.
_LARGEST_HEADER = 120_000
_DROPPED = PREFIX + "producer-headers-dropped"


def delivery_of(message: Incoming, *, queue: str, lane: Lane, requests: str) -> Delivery:
    """Read what the broker handed over; total over whatever a producer may send.

    `requests` is the exchange of the interactive lane.
    """
    properties = read_properties(message.header)
    headers = properties.headers
    assert isinstance(headers, WireTable), "as the reader gives them"
    ours = {name: value for name, value in headers.items() if name.startswith(PREFIX)}
    return Delivery(
        body=message.body,
        queue=queue,
        lane=lane,
        redelivered=message.deliver.is_redelivered,
        properties=properties._replace(headers=_producers(headers)) if headers else properties,
        progress=progress_from(ours),
        receipt=message.receipt,
        routing_key=message.deliver.routing_key,
        is_diverted=lane is Lane.BULK and message.deliver.exchange == requests,
    )


def header_for(delivery: Delivery, headers: Mapping[str, object]) -> Header:
    """The content header of a republished delivery: the producer's own plus `headers` of ours."""
    theirs = delivery.properties
    header = header_of(theirs, {**theirs.headers, **headers})
    if theirs.headers and len(header) > _LARGEST_HEADER:
        return header_of(theirs, {**headers, _DROPPED: True})
    return header


def header_of_a_producer(message: Incoming) -> Header | None:
    """The content header to publish a producer's message with again; None if it is one of ours."""
    properties = read_properties(message.header)
    headers = properties.headers
    assert isinstance(headers, WireTable), "as the reader gives them"
    if any(name.startswith(PREFIX) for name in headers):
        return None
    return header_of(properties, _producers(headers))


def _producers(headers: WireTable) -> dict[str, object]:
    """The producer's own headers: text to read, everything else exactly as it came."""
    return {
        name: value if isinstance(value, str) else headers.wire[name]
        for name, value in headers.items()
        if _is_producers(name)
    }


def _is_producers(name: str) -> bool:
    return not name.startswith((*_BROKER_HEADERS, PREFIX)) and name not in _COPY_HEADERS
