"""Between AMQP messages and deliveries: what is read, and what a republished message keeps."""

from collections.abc import Mapping

from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from worker.core.delivery import Delivery, Lane, Properties
from worker.core.progress import PREFIX, progress_from
from worker.rabbit.lenient import WireTable

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


def delivery_of(message: DeliveredMessage, *, queue: str, lane: Lane) -> Delivery:
    """Read what the broker handed over; total over whatever a producer may send."""
    properties = message.header.properties
    headers = properties.headers if isinstance(properties.headers, WireTable) else WireTable()
    return Delivery(
        body=message.body,
        queue=queue,
        lane=lane,
        redelivered=bool(message.redelivered),
        properties=Properties(
            content_type=properties.content_type,
            content_encoding=properties.content_encoding,
            correlation_id=properties.correlation_id,
            reply_to=properties.reply_to,
            message_id=properties.message_id,
            type=properties.message_type,
            app_id=properties.app_id,
            priority=properties.priority,
            timestamp=properties.timestamp,  # type: ignore[arg-type]  # an int, see lenient.py
            headers=_producers(headers),
        ),
        progress=progress_from({n: v for n, v in headers.items() if n.startswith(PREFIX)}),
        receipt=message,
    )


def properties_for(delivery: Delivery, headers: Mapping[str, object]) -> Basic.Properties:
    """Properties of a republished delivery: the producer's own plus `headers` of ours.

    `expiration` would shorten a delay, `user_id` is refused from another user, and a reused
    `message_id` makes the client mistake one returned publish for another: all are left out,
    and the client library writes a fresh message id.
    """
    theirs = delivery.properties
    properties = Basic.Properties(
        content_type=theirs.content_type,
        content_encoding=theirs.content_encoding,
        correlation_id=theirs.correlation_id,
        reply_to=theirs.reply_to,
        message_type=theirs.type,
        app_id=theirs.app_id,
        priority=theirs.priority,
        timestamp=theirs.timestamp,  # type: ignore[arg-type]  # an int, see lenient.py
        delivery_mode=2,
    )
    properties.headers = {**theirs.headers, **headers}  # type: ignore[dict-item]  # as received
    if theirs.headers and len(properties.marshal()) > _LARGEST_HEADER:
        properties.headers = {**headers, _DROPPED: True}  # type: ignore[dict-item]
    return properties


def _producers(headers: WireTable) -> dict[str, object]:
    """The producer's own headers: text to read, everything else exactly as it came."""
    return {
        name: value if isinstance(value, str) else headers.wire[name]
        for name, value in headers.items()
        if _is_producers(name)
    }


def _is_producers(name: str) -> bool:
    return not name.startswith((*_BROKER_HEADERS, PREFIX)) and name not in _COPY_HEADERS
