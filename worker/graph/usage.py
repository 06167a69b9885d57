"""How long the API asks us to wait, and how full its limits are. Total over garbage."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache

import orjson

from worker.core.send_result import GraphError, Scope, Throttled

# An estimate beyond this is a mistake of the API, or means "not today".
LONGEST_S = 24 * 3600.0
# From here on a limit counts as nearly used up. Calls made while throttled count too and lengthen
# the block (Meta, "Rate Limits"), so the last few per cent are not worth having.
NEARLY_USED_UP_PERCENT = 95.0

_APP_USAGE = "X-App-Usage"
_BUSINESS_USAGE = "X-Business-Use-Case-Usage"
# Meta documents the first three; graph.instagram.com was seen to send the last two instead.
_PERCENT_KEYS = ("call_count", "total_time", "total_cputime", "call_volume", "cpu_time")
# A limit may be overdrawn, but not by this much: such a figure is a count, or nonsense.
_MOST_PERCENT = 1000.0
# The header may tell of the business's advertisements and pages too, which are no concern of ours.
_OUR_TYPES = ("instagram", "messenger", None)
_READINGS_KEPT = 512


@dataclass(frozen=True, slots=True)
class Usage:
    """How full the limits of the app and of the account are, in percent; None is unknown, not zero.

    `account_regain_s` is the API's estimate until calls are let through again.
    """

    app_percent: float | None = None
    account_percent: float | None = None
    account_regain_s: float | None = None


def pressure_of(headers: Mapping[str, str]) -> Throttled | None:
    """Say which limit an answer shows to be nearly used up, if any; in both spellings."""
    app, business = headers.get(_APP_USAGE), headers.get(_BUSINESS_USAGE)
    return None if app is None and business is None else _pressure_in(app, business)


# Answers of a moment say the same, and reading them anew takes 7 to 11 us.
@lru_cache(_READINGS_KEPT)
def _pressure_in(app: str | None, business: str | None) -> Throttled | None:
    """The app's limit comes first: without it no account gets on."""
    usage = usage_in(app, business)
    return _pressure(Scope.APP, usage.app_percent, None) or _pressure(
        Scope.ACCOUNT, usage.account_percent, usage.account_regain_s
    )


def _pressure(scope: Scope, percent: float | None, regain_s: float | None) -> Throttled | None:
    if percent is None or percent < NEARLY_USED_UP_PERCENT:
        return None
    meaning = f"the API says that {percent:.0f} % of the {scope}'s limit is used up"
    return Throttled(scope, GraphError(meaning, http_status=200), regain_s)


def usage_in(app: str | None, business: str | None) -> Usage:
    """Read the two headers; the account is as full as its fullest limit, its wait the longest."""
    ours = [e for e in _business_entries(business) if e.get("type") in _OUR_TYPES]
    regain_s = _regain_access_s(ours)
    return Usage(
        app_percent=_fullest([_parsed(app)]),
        account_percent=_fullest(ours),
        account_regain_s=None if regain_s is None or regain_s > LONGEST_S else regain_s,
    )


def _fullest(entries: Iterable[object]) -> float | None:
    numbers = (
        _number(entry.get(key))
        for entry in entries
        if isinstance(entry, dict)
        for key in _PERCENT_KEYS
    )
    return max((n for n in numbers if n is not None and 0 <= n <= _MOST_PERCENT), default=None)


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
