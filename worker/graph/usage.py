"""How long the API asks us to wait, from headers and body. Total over garbage."""

import math
from collections.abc import Iterator, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

import orjson

# An estimate beyond this is a mistake of the API, or means "not today".
LONGEST_S = 24 * 3600.0


def retry_after_s(headers: Mapping[str, str], body: object, *, now: float) -> float | None:
    """Give the wait in seconds, 0 to a day; None when the API names none.

    Retry-After (seconds or an HTTP date) first, then the business use case usage, whose
    `estimated_time_to_regain_access` is in minutes (Meta, "Rate Limits"), then
    `error.error_data.retry_after`, which is in no documentation.
    """
    for found in (
        _retry_after(headers.get("Retry-After"), now),
        _regain_access_s(headers.get("X-Business-Use-Case-Usage")),
        _error_data_s(body),
    ):
        if found is not None:
            return min(max(found, 0.0), LONGEST_S)
    return None


def _retry_after(text: str | None, now: float) -> float | None:
    if text is None:
        return None
    seconds = _number(text)
    if seconds is not None:
        return seconds
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now


def _regain_access_s(text: str | None) -> float | None:
    """The longest estimate of all entries; 0 means that nothing is closed."""
    if text is None:
        return None
    try:
        usage = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    longest = max(_estimates(usage), default=0.0)
    return longest * 60 if longest > 0 else None


def _estimates(usage: object) -> Iterator[float]:
    if not isinstance(usage, dict):
        return
    for entries in usage.values():
        for entry in entries if isinstance(entries, list) else ():
            minutes = (
                _number(entry.get("estimated_time_to_regain_access"))
                if isinstance(entry, dict)
                else None
            )
            if minutes is not None:
                yield minutes


def _error_data_s(body: object) -> float | None:
    error = body.get("error") if isinstance(body, dict) else None
    data = error.get("error_data") if isinstance(error, dict) else None
    return _number(data.get("retry_after")) if isinstance(data, dict) else None


def _number(value: object) -> float | None:
    """A finite number, also written as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
