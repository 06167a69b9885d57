"""What travels beside the bodies: AMQP properties and headers, as JSON Schemas of their values.

AsyncAPI describes headers, but of the properties of AMQP it knows two only: they stand under
`x-properties` of a message's binding.
"""

from typing import Any

from worker.core.request_schema import REQUEST_SCHEMA
from worker.rabbit.publisher import EVENT

Fields = dict[str, dict[str, Any]]

_CORRELATION_ID = {
    "description": "Whatever tells the producer which request it was; it comes back with the "
    "outcome. `id` does the same, and always.",
    "type": "string",
    "maxLength": 255,
}
_DELIVERY_MODE = {
    "description": "2: persistent, so that a restart of the broker loses nothing.",
    "type": "integer",
    "const": 2,
}

REQUEST_PROPERTIES: Fields = {
    "content_type": {
        "description": "JSON in UTF-8. No content_encoding: the body is read as it is.",
        "type": "string",
        "const": "application/json",
    },
    "delivery_mode": _DELIVERY_MODE,
    "type": {
        "description": "The version of the request contract. A version that "
        "the worker does not know ends as `invalid`; values of other make are ignored.",
        "type": "string",
        "default": REQUEST_SCHEMA,
    },
    "reply_to": {
        "description": "A queue of the producer that gets the outcome too.",
        "type": "string",
        "maxLength": 255,
    },
    "correlation_id": _CORRELATION_ID,
    "message_id": {
        "description": "The producer's own; a dead letter tells it in x-igsend-message-id. "
        "Idempotency goes by `id` in the body, not by this.",
        "type": "string",
        "maxLength": 255,
    },
    "expiration": {
        "description": "Left out: the broker would put the request among the dead letters. Say "
        "expires_at in the body.",
        "not": {},
    },
}

OUTCOME_PROPERTIES: Fields = {
    "content_type": {
        "description": "JSON in UTF-8.",
        "type": "string",
        "const": EVENT.content_type,
    },
    "delivery_mode": _DELIVERY_MODE,
    "type": {
        "description": "The version of the event.",
        "type": "string",
        "const": EVENT.type,
    },
    "app_id": {
        "description": "Who published it.",
        "type": "string",
        "const": EVENT.app_id,
    },
    "correlation_id": {**_CORRELATION_ID, "description": "As it was in the request."},
    "message_id": {"description": "A fresh one for each publish.", "type": "string"},
}

_TRACE: Fields = {
    "traceparent": {
        "description": "The trace it belongs to (W3C Trace Context); ignored when not valid.",
        "type": "string",
        "maxLength": 128,
    },
    "tracestate": {
        "description": "Vendors' part of the trace (W3C Trace Context).",
        "type": "string",
        "maxLength": 512,
    },
}

REQUEST_HEADERS = {
    "description": "All optional; others of the producer's are kept in dead letters.",
    "type": "object",
    "properties": _TRACE,
    "propertyNames": {
        "description": "Names of this kind are the worker's own.",
        "not": {"pattern": "^x-igsend-"},
    },
}
OUTCOME_HEADERS = {
    "description": "Those of the request that are valid.",
    "type": "object",
    "properties": _TRACE,
}
SUSPECT_HEADERS = {
    "description": "Written by the broker beside the producer's own: no worker saw it die. Where "
    "it had waited or been replayed before, there are some of the other dead letters' headers.",
    "type": "object",
    "properties": {
        "x-death": {
            "description": "The broker's account: since when, from which queue, and why "
            "(delivery_limit).",
            "type": "array",
            "items": {"type": "object"},
        },
        "x-first-death-queue": {
            "description": "The queue it was taken from.",
            "type": "string",
        },
        "x-first-death-reason": {
            "description": "delivery_limit: workers died with it in hand, time after time.",
            "type": "string",
        },
    },
}
