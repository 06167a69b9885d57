"""How long to wait: every place the API may say it, and nonsense in each of them."""

from email.utils import formatdate

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.graph.usage import LONGEST_S, retry_after_s

NOW = 1_800_000_000.0
BUSINESS = "X-Business-Use-Case-Usage"


def usage(*minutes: object) -> dict[str, str]:
    entries = [{"type": "instagram", "estimated_time_to_regain_access": m} for m in minutes]
    return {BUSINESS: orjson.dumps({"17841": entries}).decode()}


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({}, None, None),
        ({"Retry-After": "12"}, None, 12.0),
        ({"Retry-After": "1.5"}, None, 1.5),
        ({"Retry-After": formatdate(NOW + 90, usegmt=True)}, None, 90.0),
        ({"Retry-After": formatdate(NOW - 90, usegmt=True)}, None, 0.0),
        ({"Retry-After": "-4"}, None, 0.0),
        ({"Retry-After": "nan"}, None, None),
        ({"Retry-After": "999999999"}, None, LONGEST_S),
        ({"Retry-After": "soon"}, None, None),
        (usage(1), None, 60.0),
        (usage(0, 5, 2), None, 300.0),
        (usage(0), None, None),
        (usage("3"), None, 180.0),
        (usage(None, True, [], "x"), None, None),
        ({BUSINESS: "[]"}, None, None),
        ({BUSINESS: "{"}, None, None),
        ({BUSINESS: '{"1": 5, "2": [1, null]}'}, None, None),
        ({"Retry-After": "7", **usage(1)}, None, 7.0),
        ({}, {"error": {"error_data": {"retry_after": 9}}}, 9.0),
        ({}, {"error": {"error_data": "text"}}, None),
        ({}, {"error": []}, None),
    ],
)
def test_wait_is_the_first_that_makes_sense(
    headers: dict[str, str], body: object, expected: float | None
) -> None:
    assert retry_after_s(headers, body, now=NOW) == expected


@given(
    st.dictionaries(st.sampled_from(["Retry-After", BUSINESS]), st.text()),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["error", "error_data", "retry_after"]), inner)
        ),
    ),
)
def test_wait_is_total_and_bounded(headers: dict[str, str], body: object) -> None:
    wait_s = retry_after_s(headers, body, now=NOW)
    assert wait_s is None or 0 <= wait_s <= LONGEST_S
