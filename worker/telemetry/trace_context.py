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


# What the standard allows in `tracestate`; the library logs parts of anything else.
_STATE_MEMBER = r"[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{1,256}"
_TRACESTATE = re.compile(rf"{_STATE_MEMBER}(,{_STATE_MEMBER}){{0,31}}")
_LONGEST_STATE = 512
# A traceparent has 55 characters; later versions may append a few.
_LONGEST_PARENT = 128


def trace_headers(headers: Mapping[str, object]) -> dict[str, str]:
    """Give the trace headers that are valid: none, `traceparent`, or `tracestate` as well."""
    if trace_id_of(headers) is None:
        return {}
    parent = str(headers["traceparent"])
    if len(parent) > _LONGEST_PARENT:
        return {}
    found = {"traceparent": parent}
    state = headers.get("tracestate")
    if isinstance(state, str) and len(state) <= _LONGEST_STATE and _is_state(state):
        found["tracestate"] = state
    return found


def _is_state(state: str) -> bool:
    keys = [member.partition("=")[0] for member in state.split(",")]
    return _TRACESTATE.fullmatch(state) is not None and len(set(keys)) == len(keys)
