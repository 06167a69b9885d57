"""A request that may be published: valid by the worker's own rules, and in bytes."""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import orjson

from worker.client.errors import InvalidRequest
from worker.contract.decode import decode
from worker.contract.validator import RequestValidator
from worker.core.problem import Problem


class Prepared(NamedTuple):
    """What is published, and by what its outcome is known."""

    id: str
    account_id: str
    body: bytes


def prepared(request: Mapping[str, Any] | bytes | str) -> Prepared:
    """Check a request, given as a mapping or as JSON, as the worker will. Raises InvalidRequest."""
    if isinstance(request, bytes):
        return _checked(request)
    if isinstance(request, str):
        return _checked(request.encode("utf-8", "surrogatepass"))
    if not isinstance(request, Mapping):
        problem = Problem("", f"must be a mapping or JSON, not {type(request).__name__}")
        raise _invalid([problem], {})
    try:
        body = orjson.dumps(request if isinstance(request, dict) else dict(request))
    except (orjson.JSONEncodeError, TypeError) as error:
        problem = Problem("", f"cannot be written as JSON: {error}")
        raise _invalid([problem], request) from None
    return _checked(body)


def _checked(body: bytes) -> Prepared:
    document = decode(body)
    if isinstance(document, list):
        raise _invalid(document, {})
    problems = _validator().problems(document)
    if problems:
        raise _invalid(problems, document)
    return Prepared(document["id"], document["account_id"], body)


@cache
def _validator() -> RequestValidator:
    return RequestValidator()


def _invalid(problems: list[Problem], document: Mapping[str, Any]) -> InvalidRequest:
    request_id, account_id = document.get("id"), document.get("account_id")
    return InvalidRequest(
        problems,
        request_id=request_id if isinstance(request_id, str) else None,
        account_id=account_id if isinstance(account_id, str) else None,
    )
