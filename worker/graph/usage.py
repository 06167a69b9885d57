"""How long the API asks us to wait, and how full its limits are. Total over garbage."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

import orjson

# An estimate beyond this is a mistake of the API, or means "not today".
LONGEST_S = 24 * 3600.0

_APP_USAGE = "X-App-Usage"
_BUSINESS_USAGE = "X-Business-Use-Case-Usage"
# Meta documents the first three; graph.instagram.com was seen to send the last two instead.
_PERCENT_KEYS = ("call_count", "total_time", "total_cputime", "call_volume", "cpu_time")


@dataclass(frozen=True, slots=True)
class Usage:
    """The fullest limit in percent and the longest wait named; None is unknown, not zero."""

    percent: float | None = None
    regain_access_s: float | None = None


def usage_of(headers: Mapping[str, str]) -> Usage:
    """Read the usage headers of any answer, in both spellings."""
    business = list(_business_entries(headers.get(_BUSINESS_USAGE)))
    entries = [_parsed(headers.get(_APP_USAGE)), *business]
    numbers = (
        _number(entry.get(key))
        for entry in entries
        if isinstance(entry, dict)
        for key in _PERCENT_KEYS
    )
    return Usage(
        percent=max(
            (number for number in numbers if number is not None and number >= 0), default=None
        ),
        regain_access_s=_regain_access_s(business),
    )


def retry_after_s(headers: Mapping[str, str], body: object, *, now: float) -> float | None:
    """Give the wait in seconds, 0 to a day; None when the API names none.

    Retry-After (seconds or an HTTP date) first, then the business use case usage, whose
    `estimated_time_to_regain_access` is in minutes (Meta, "Rate Limits"), then
    `error.error_data.retry_after`, which is in no documentation.
    """
    for found in (
        _retry_after(headers.get("Retry-After"), now=now),
        _regain_access_s(_business_entries(headers.get(_BUSINESS_USAGE))),
        _error_data_s(body),
    ):
        if found is not None:
            return min(max(found, 0.0), LONGEST_S)
    return None


def _retry_after(text: str | None, *, now: float) -> float | None:
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


def _regain_access_s(entries: Iterable[Mapping[str, object]]) -> float | None:
    """The longest estimate of all entries; 0 means that nothing is closed."""
    minutes = (_number(entry.get("estimated_time_to_regain_access")) for entry in entries)
    longest = max((number for number in minutes if number is not None), default=0.0)
    return longest * 60 if longest > 0 else None


def _business_entries(text: str | None) -> Iterator[Mapping[str, object]]:
    """Give each limit of each business object: the header is an object of arrays."""
    document = _parsed(text)
    if isinstance(document, dict):
        for entries in document.values():
            if isinstance(entries, list):
                yield from (entry for entry in entries if isinstance(entry, dict))


def _parsed(text: str | None) -> object:
    try:
        return None if text is None else orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


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
