"""How full the API says its limits are: both spellings, and nonsense in each place."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.graph.usage import Usage, usage_of

APP, BUSINESS = "X-App-Usage", "X-Business-Use-Case-Usage"


def business(*entries: object) -> dict[str, str]:
    return {BUSINESS: orjson.dumps({"17841": list(entries)}).decode()}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, Usage(None, None)),
        ({APP: '{"call_count":28,"total_time":25,"total_cputime":30}'}, Usage(30.0, None)),
        ({APP: '{"call_volume":7,"cpu_time":4}'}, Usage(7.0, None)),
        ({APP: '{"call_volume":0,"cpu_time":0}'}, Usage(0.0, None)),
        ({APP: '{"call_volume":104}'}, Usage(104.0, None)),
        (
            business({"type": "messenger", "call_count": 95, "estimated_time_to_regain_access": 2}),
            Usage(95.0, 120.0),
        ),
        (
            {APP: '{"call_volume":50}', **business({"cpu_time": 9}, {"total_time": 61})},
            Usage(61.0, None),
        ),
        ({APP: '{"call_volume":-1}'}, Usage(None, None)),
        ({APP: '{"call_volume":true,"cpu_time":null}'}, Usage(None, None)),
        ({APP: "[90]", BUSINESS: '{"1":{"call_count":90}}'}, Usage(None, None)),
        ({APP: "\udcff", BUSINESS: "{"}, Usage(None, None)),
    ],
)
def test_usage_is_the_fullest_of_all_and_unknown_is_not_zero(
    headers: dict[str, str], expected: Usage
) -> None:
    assert usage_of(headers) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["call_count", "cpu_time", "17841"]), inner)
    ),
)


@given(st.dictionaries(st.sampled_from([APP, BUSINESS]), st.text() | JSON.map(repr)))
def test_usage_of_text_is_total(headers: dict[str, str]) -> None:
    usage = usage_of(headers)
    assert usage.percent is None or usage.percent >= 0


@given(st.dictionaries(st.sampled_from([APP, BUSINESS]), JSON))
def test_usage_of_any_json_is_total(documents: dict[str, object]) -> None:
    headers = {name: orjson.dumps(document).decode() for name, document in documents.items()}
    usage = usage_of(headers)
    assert usage.percent is None or usage.percent >= 0
