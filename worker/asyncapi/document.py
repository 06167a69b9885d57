"""The whole AsyncAPI document of a prefix."""

import re
from typing import Any

from worker.asyncapi.bundle import bundle_of
from worker.asyncapi.channels import channels, operations
from worker.asyncapi.messages import CORRELATION_IDS, messages
from worker.contract.schema_files import DEAD_LETTER_HEADERS, OUTCOME, SEND_REQUEST
from worker.rabbit.names import Names

# Grows when v1 does (schemas/README.md, Versions).
CONTRACT = "1.0.0"

_DESCRIPTION = (
    "Sends Instagram messages from requests on RabbitMQ: each once, in order, within every limit, "
    "and tells for each how it ended.\n\n"
    "This document is of igsend: what it receives, you publish; what it sends, you consume. All "
    "bodies are JSON in UTF-8. The schemas are those of `schemas/` (JSON Schema 2020-12) in one "
    "piece; they mean the same in draft 07, on which AsyncAPI's schemas build."
)

# The usual prefix, as the schemas' descriptions and examples have it.
_NAME = re.compile(r"\big\.(?=(?:requests|bulk|outcomes|dead|send)\b)")


def asyncapi_document(names: Names) -> dict[str, Any]:
    """Describe what producers and operators meet, with all schemas and examples in it."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:igsend",
        "info": {
            "title": "igsend",
            "version": CONTRACT,
            "description": _DESCRIPTION,
        },
        "defaultContentType": "application/json",
        "servers": _servers(),
        "channels": channels(names),
        "operations": operations(),
        "components": _with_prefix(_components(), f"{names.prefix}."),
    }


def _components() -> dict[str, Any]:
    return {
        "messages": messages(),
        "correlationIds": CORRELATION_IDS,
        "schemas": bundle_of(SEND_REQUEST, OUTCOME, DEAD_LETTER_HEADERS),
        "securitySchemes": {
            "password": {
                "type": "userPassword",
                "description": "A user of the broker; `igsend topology users` prints one for "
                "producers, with the least it needs.",
            }
        },
    }


def _servers() -> dict[str, Any]:
    return {
        "broker": {
            "host": "{host}:{port}",
            "pathname": "/{vhost}",
            "protocol": "amqp",
            "protocolVersion": "0-9-1",
            "description": "RabbitMQ 3.10 or later; amqps where it is set up for that.",
            "variables": {
                "host": {"default": "localhost"},
                "port": {"default": "5672", "description": "5671 for amqps."},
                "vhost": {"default": "%2F", "description": "The vhost, percent-encoded."},
            },
            "security": [{"$ref": "#/components/securitySchemes/password"}],
        }
    }


def _with_prefix(value: Any, prefix: str) -> Any:
    """Write names of exchanges and queues with the prefix wherever they are spoken of."""
    if isinstance(value, dict):
        return {name: _with_prefix(child, prefix) for name, child in value.items()}
    if isinstance(value, list):
        return [_with_prefix(child, prefix) for child in value]
    return _NAME.sub(prefix, value) if isinstance(value, str) else value
