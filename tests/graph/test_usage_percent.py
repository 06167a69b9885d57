"""How full the API says its limits are: both spellings, and nonsense in each place."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.send_result import GraphError, Scope, Throttled
from worker.graph.usage import LONGEST_S, Usage, pressure_of, usage_in

APP, BUSINESS = "X-App-Usage", "X-Business-Use-Case-Usage"


def business(*entries: object) -> dict[str, str]:
    return {BUSINESS: orjson.dumps({"17841": list(entries)}).decode()}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, Usage()),
        ({APP: '{"call_count":28,"total_time":25,"total_cputime":30}'}, Usage(30.0)),
        ({APP: '{"call_volume":7,"cpu_time":4}'}, Usage(7.0)),
        ({APP: '{"call_volume":0,"cpu_time":0}'}, Usage(0.0)),
        ({APP: '{"call_volume":104}'}, Usage(104.0)),
        ({APP: '{"call_volume":"96"}'}, Usage(96.0)),
        (
            business({"type": "messenger", "call_count": 95, "estimated_time_to_regain_access": 2}),
            Usage(None, 95.0, 120.0),
        ),
        (
            {APP: '{"call_volume":50}', **business({"cpu_time": 9}, {"total_time": 61})},
            Usage(50.0, 61.0),
        ),
        (business({"type": "instagram", "call_volume": 97, "cpu_time": 3}), Usage(None, 97.0)),
        (
            business({"type": "ads_management", "call_count": 100}, {"call_count": 4}),
            Usage(None, 4.0),
        ),
        (
            business(
                {"type": "pages", "call_count": 99, "estimated_time_to_regain_access": 9},
                {"type": ["instagram"], "call_count": 99},
            ),
            Usage(),
        ),
        (business({"call_count": 99, "estimated_time_to_regain_access": 0}), Usage(None, 99.0)),
        (business({"call_count": 99, "estimated_time_to_regain_access": -5}), Usage(None, 99.0)),
        (business({"call_count": 99, "estimated_time_to_regain_access": 1e9}), Usage(None, 99.0)),
        ({APP: '{"call_volume":-1}'}, Usage()),
        ({APP: '{"call_volume":48000,"cpu_time":3}'}, Usage(3.0)),
        ({APP: '{"call_volume":true,"cpu_time":null}'}, Usage()),
        ({APP: "[90]", BUSINESS: '{"1":{"call_count":90}}'}, Usage()),
        ({APP: "\udcff", BUSINESS: "{"}, Usage()),
        ({APP: "", BUSINESS: "[[[["}, Usage()),
    ],
)
def test_usage_is_the_fullest_of_each_scope_and_unknown_is_not_zero(
    headers: dict[str, str], expected: Usage
) -> None:
    assert usage_in(headers.get(APP), headers.get(BUSINESS)) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({APP: '{"call_volume":94.9,"cpu_time":0}'}, None),
        ({APP: '{"call_volume":95,"cpu_time":0}'}, (Scope.APP, None)),
        ({APP: '{"call_count":2,"total_time":3,"total_cputime":130}'}, (Scope.APP, None)),
        (business({"call_count": 94, "estimated_time_to_regain_access": 5}), None),
        (business({"call_count": 95}), (Scope.ACCOUNT, None)),
        (
            business({"call_count": 100, "estimated_time_to_regain_access": 5}),
            (Scope.ACCOUNT, 300.0),
        ),
        (
            {APP: '{"call_volume":99}', **business({"call_count": 100})},
            (Scope.APP, None),
        ),
        ({APP: '{"call_volume":1000000}', BUSINESS: "garbage"}, None),
    ],
)
def test_success_at_95_percent_and_more_tells_what_to_leave_alone_and_how_long(
    headers: dict[str, str], expected: tuple[Scope, float | None] | None
) -> None:
    pressure = pressure_of(headers)
    assert (pressure and (pressure.scope, pressure.retry_after_s)) == expected


def test_pressure_says_whose_limit_it_is_and_how_full() -> None:
    meaning = "the API says that 96 % of the account's limit is used up"
    assert pressure_of(business({"call_count": 96.4})) == Throttled(
        Scope.ACCOUNT, GraphError(meaning, http_status=200)
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["call_count", "cpu_time", "type", "17841"]), inner)
    ),
)


def is_bounded(headers: dict[str, str]) -> bool:
    usage = usage_in(headers.get(APP), headers.get(BUSINESS))
    percents, regain_s = (usage.app_percent, usage.account_percent), usage.account_regain_s
    return all(percent is None or 0 <= percent <= 1000 for percent in percents) and (
        regain_s is None or 0 < regain_s <= LONGEST_S
    )


@given(st.dictionaries(st.sampled_from([APP, BUSINESS]), st.text() | JSON.map(repr)))
def test_usage_of_text_is_total(headers: dict[str, str]) -> None:
    assert is_bounded(headers)


@given(st.dictionaries(st.sampled_from([APP, BUSINESS]), JSON))
def test_usage_of_any_json_is_total(documents: dict[str, object]) -> None:
    headers = {name: orjson.dumps(document).decode() for name, document in documents.items()}
    assert is_bounded(headers)
