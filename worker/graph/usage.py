"""How long the API asks us to wait, and how much of its limits is used.

Whatever the headers hold, reading them ends in a value; what makes no sense counts as absent.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

import orjson

LONGEST_WAIT_S = 24 * 3600.0
_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_APP_USAGE = "X-App-Usage"
_BUSINESS_USAGE = "X-Business-Use-Case-Usage"
# Meta documents the first three; graph.instagram.com was seen to send the last two instead.
_PERCENT_KEYS = ("call_count", "total_time", "total_cputime", "call_volume", "cpu_time")
_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Usage:
    """The fullest of all limits in percent, and the longest wait named; None is unknown, not 0."""

    percent: float | None = None
    regain_access_s: float | None = None


def usage_of(headers: Mapping[str, str]) -> Usage:
    """Read the usage headers in both spellings."""
    objects = [*_app_usage(headers), *_business_usage(headers)]
    percents = [
        number for each in objects for key in _PERCENT_KEYS for number in _number(each, key)
    ]
    minutes = [
        number for each in objects for number in _number(each, "estimated_time_to_regain_access")
    ]
    longest = max(minutes, default=0.0)
    return Usage(
        percent=max(percents, default=None),
        # Zero is what an account that is not throttled gets.
        regain_access_s=longest * _MINUTE_S if longest else None,
    )


def wait_s(headers: Mapping[str, str], body: object, *, now: float) -> float | None:
    """Give the wait the API asks for: Retry-After, else its estimate, else the error's own.

    `now` is in unix seconds. None when it asks for none, or for 0 s: then our own backoff is
    kinder. Never more than a day.
    """
    asked = (
        _retry_after_s(headers.get("Retry-After"), now=now)
        or usage_of(headers).regain_access_s
        or _error_wait_s(body)
    )
    return min(asked, LONGEST_WAIT_S) if asked else None


def _retry_after_s(text: str | None, *, now: float) -> float | None:
    if text is None:
        return None
    if _SECONDS.fullmatch(text.strip()):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
        # A zone of -0000 leaves the time without one; HTTP dates are UTC.
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return max(0.0, aware.timestamp() - now)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _error_wait_s(body: object) -> float | None:
    error = body.get("error") if isinstance(body, Mapping) else None
    data = error.get("error_data") if isinstance(error, Mapping) else None
    return next(_number(data, "retry_after"), None) if isinstance(data, Mapping) else None


def _app_usage(headers: Mapping[str, str]) -> Iterator[Mapping[str, object]]:
    document = _json(headers.get(_APP_USAGE))
    if isinstance(document, Mapping):
        yield document


def _business_usage(headers: Mapping[str, str]) -> Iterator[Mapping[str, object]]:
    """Give each limit of each business object: an object of arrays."""
    document = _json(headers.get(_BUSINESS_USAGE))
    if isinstance(document, Mapping):
        for limits in document.values():
            if isinstance(limits, list):
                yield from (limit for limit in limits if isinstance(limit, Mapping))


def _json(text: str | None) -> object:
    try:
        return None if text is None else orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _number(values: Mapping[str, object], key: str) -> Iterator[float]:
    """Give the number of this name, if there is one that can be a wait or a percentage."""
    value = values.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
        if math.isfinite(number) and number >= 0:
            yield number
