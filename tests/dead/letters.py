"""Letters for tests, made as they come off the wire."""

from collections.abc import Mapping
from typing import Any, cast

import orjson

from tests.support.builders import ACCOUNT_ID, a_document
from worker.core.delivery import Properties
from worker.core.reason import Reason
from worker.dead.letter import Letter
from worker.rabbit.wire.deliveries import Deliveries, Incoming, Receipt
from worker.rabbit.wire.frames import Deliver
from worker.rabbit.wire.properties import header_of

DIED_AT = "2026-11-22T10:00:00Z"
DIED = 1_795_341_600.0


class FakeDeliveries:
    """Keeps the tags of what was settled."""

    def __init__(self) -> None:
        self.settled: list[int] = []

    def settle(self, frame: object, tag: int) -> None:
        self.settled.append(tag)


def incoming(
    header: bytes, body: bytes, *, tag: int = 1, deliveries: FakeDeliveries | None = None
) -> Incoming:
    receipt = Receipt(cast(Deliveries, deliveries or FakeDeliveries()), tag)
    deliver = Deliver("0000", tag, is_redelivered=False, exchange="ig.dead", routing_key="account")
    return Incoming(deliver, header, body, receipt)


def a_letter(
    document: Mapping[str, Any] | bytes | None = None,
    *,
    reason: Reason = Reason.ACCOUNT,
    headers: Mapping[str, object] | None = None,
    tag: int = 1,
    deliveries: FakeDeliveries | None = None,
    **properties: Any,
) -> Letter:
    """A text that the API refused with 190/463; `headers` are on top of those of our own."""
    body = document if isinstance(document, bytes) else orjson.dumps(document or a_document())
    ours = {
        "x-igsend-reason": reason.value,
        "x-igsend-code": 190,
        "x-igsend-subcode": 463,
        "x-igsend-account-id": ACCOUNT_ID,
        "x-igsend-attempts": 3,
        "x-igsend-died-at": DIED_AT,
    }
    given = {name: value for name, value in {**ours, **(headers or {})}.items() if value != ""}
    message_id = properties.pop("message_id", "theirs")
    header = header_of(Properties(**properties), given)
    encoded = header.encode(message_id=message_id, size=len(body))
    return Letter(incoming(encoded, body, tag=tag, deliveries=deliveries), reason)
