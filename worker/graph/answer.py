"""Reads an answer of the API: at most so many bytes, as JSON if it is JSON."""

import aiohttp
import orjson

from worker.core.graph_reply import Reply
from worker.graph.evidence import Answer
from worker.graph.usage import pressure_of, retry_after_s

# Documented answers have a few hundred bytes.
LARGEST_ANSWER = 1024 * 1024


class AnswerTooLargeError(Exception):
    """The answer has more than LARGEST_ANSWER bytes; the rest was not read."""


async def read_body(content: aiohttp.StreamReader) -> bytes:
    """Read all of a body; raises AnswerTooLargeError, or aiohttp's errors when it breaks off."""
    if content.is_eof():
        # Mostly it came with its head.
        return content.read_nowait()
    body = b""
    while not content.at_eof():
        body += await content.readany()
        if len(body) > LARGEST_ANSWER:
            raise AnswerTooLargeError
    return body


def reply_from(answer: Answer, body: bytes, *, now: float) -> Reply:
    """Turn an answer into what the rules of core look at; `now` in unix seconds.

    A success says which limit is nearly used up, anything else how long to wait.
    """
    document = _json(body)
    is_success = answer.status == 200 and isinstance(document, dict) and "error" not in document
    if is_success:
        return Reply(answer.status, document, pressure=pressure_of(answer.headers))
    return Reply(answer.status, document, retry_after_s(answer.headers, document, now=now))


def _json(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
