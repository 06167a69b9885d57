"""The trace a request belongs to, from the W3C `traceparent` header that its producer set."""

import re
from collections.abc import Mapping

# Later versions may append fields; version ff and all-zero ids are invalid by the standard.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)


def trace_id_of(headers: Mapping[str, object]) -> str | None:
    """Give the trace id, or None when the header is absent or not valid."""
    value = headers.get("traceparent")
    if not isinstance(value, str):
        return None
    match = _TRACEPARENT.fullmatch(value)
    if match is None or (value.startswith("00-") and match[2]):
        return None
    return match[1]
