"""The messages of the contract: body, headers, properties, and the examples of `schemas/`."""

from collections.abc import Iterator
from typing import Any

import orjson

from worker.asyncapi.bundle import reference_to
from worker.asyncapi.properties import (
    OUTCOME_HEADERS,
    OUTCOME_PROPERTIES,
    REQUEST_HEADERS,
    REQUEST_PROPERTIES,
    SUSPECT_HEADERS,
    Fields,
)
from worker.contract.schema_files import (
    DEAD_LETTER_HEADERS,
    OUTCOME,
    SEND_REQUEST,
    schema_directory,
)
from worker.core.request_schema import REQUEST_SCHEMA
from worker.rabbit.publisher import EVENT

BINDING_VERSION = "0.3.0"
CORRELATION_IDS = {
    "correlation-id": {
        "description": "The AMQP property correlation_id. It is no header, but AsyncAPI has no "
        "other way to name it.",
        "location": "$message.header#/correlation_id",
    }
}

_TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
# The body of a letter with these headers lies among these examples.
_BODIES_OF_LETTERS = {"account": ("valid", "messages"), "invalid": ("invalid", "text-empty")}


def messages() -> dict[str, Any]:
    """Give every message by the name that channels know it by."""
    return {
        "request": {
            "title": "Send request",
            "summary": "What is to be sent: a message, up to ten in order, or a sender action.",
            "headers": REQUEST_HEADERS,
            "payload": reference_to(SEND_REQUEST),
            **_amqp(REQUEST_SCHEMA, REQUEST_PROPERTIES),
            "examples": list(_requests()),
        },
        "outcome": {
            "title": "Outcome",
            "summary": "How a request ended. Ignore fields and reasons that you do not know.",
            "headers": OUTCOME_HEADERS,
            "payload": reference_to(OUTCOME),
            **_amqp(EVENT.type, OUTCOME_PROPERTIES),
            "examples": [
                {"name": name, "summary": _in_words(name), "payload": example}
                for name, example in examples("outcome").items()
            ],
        },
        "dead-letter": {
            "title": "Dead letter",
            "summary": "A request that was given up: body and properties as they came, and why.",
            "headers": reference_to(DEAD_LETTER_HEADERS),
            "payload": reference_to(SEND_REQUEST),
            **_amqp(REQUEST_SCHEMA, REQUEST_PROPERTIES),
            "examples": [_letter("account")],
        },
        "invalid-letter": {
            "title": "Dead letter of what is no valid request",
            "summary": "Any bytes whatever, as they came, and what is wrong with them.",
            "headers": reference_to(DEAD_LETTER_HEADERS),
            "payload": {"description": "As it came; it need not be JSON."},
            **_amqp(None, REQUEST_PROPERTIES),
            "examples": [_letter("invalid")],
        },
        "suspect-letter": {
            "title": "Dead letter that the broker put there",
            "summary": "What was in hand, time after time, when workers died.",
            "headers": SUSPECT_HEADERS,
            "payload": {"description": "As it came; usually a valid request."},
            **_amqp(None, REQUEST_PROPERTIES),
            "examples": [
                {
                    "name": "text",
                    "summary": "Returned by workers that died",
                    "headers": {
                        "x-first-death-queue": "ig.send.v1.03",
                        "x-first-death-reason": "delivery_limit",
                    },
                    "payload": examples("valid")["text"],
                }
            ],
        },
    }


def examples(folder: str) -> dict[str, Any]:
    """Give the examples of one folder of `schemas/examples`, by name."""
    files = (schema_directory() / "examples" / folder).iterdir()
    found = sorted((file.name, file) for file in files if file.name.endswith(".json"))
    return {name.removesuffix(".json"): orjson.loads(file.read_bytes()) for name, file in found}


def _amqp(type_: str | None, properties: Fields) -> dict[str, Any]:
    """Describe what AMQP adds; `type_` is None where the property may say anything."""
    named = {} if type_ is None else {"messageType": type_}
    return {
        "correlationId": {"$ref": "#/components/correlationIds/correlation-id"},
        "contentType": "application/json",
        "bindings": {
            "amqp": {
                **named,
                "x-properties": {"type": "object", "properties": properties},
                "bindingVersion": BINDING_VERSION,
            }
        },
    }


def _requests() -> Iterator[dict[str, Any]]:
    for name, request in examples("valid").items():
        headers = {"headers": {"traceparent": _TRACEPARENT}} if name == "every-field" else {}
        yield {"name": name, "summary": _in_words(name), **headers, "payload": request}


def _letter(name: str) -> dict[str, Any]:
    folder, body = _BODIES_OF_LETTERS[name]
    example = examples(folder)[body]
    return {
        "name": name,
        "summary": _in_words(name),
        "headers": examples("dead-letter-headers")[name],
        "payload": example["request"] if folder == "invalid" else example,
    }


def _in_words(name: str) -> str:
    return name.replace("-", " ").capitalize()
