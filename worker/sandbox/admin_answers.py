"""The answers of the sandbox's own endpoints; they are not the API's and do not look like it."""

from typing import Any

import orjson
from aiohttp import web


def as_json(value: Any) -> web.Response:
    """Answer 200 with JSON."""
    return web.Response(body=orjson.dumps(value), content_type="application/json")


def not_found(message: str) -> web.Response:
    """Answer 404 with what is missing."""
    body = orjson.dumps({"error": f"{message}; GET /_sandbox/ lists the endpoints"})
    return web.Response(status=404, body=body, content_type="application/json")


def bad_request(message: str) -> web.HTTPBadRequest:
    """Make the 400 answer of the sandbox's own endpoints."""
    return web.HTTPBadRequest(
        text=orjson.dumps({"error": message}).decode(), content_type="application/json"
    )
