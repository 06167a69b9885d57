"""The error table: how rows are found, and that the classes we rely on stay as researched."""

import pytest

from worker.core.graph_errors import (
    REFUSAL_SCOPES,
    TABLE,
    THROTTLE_SCOPES,
    Verdict,
    row_for,
)


def test_exact_pair_goes_before_the_code_alone() -> None:
    assert row_for(10, None) is TABLE[10, None]
    assert row_for(10, 2534022) is TABLE[10, 2534022]


def test_unknown_subcode_falls_back_to_its_code() -> None:
    assert row_for(190, 999_999) is TABLE[190, None]


@pytest.mark.parametrize("code", [201, 210, 294, 299])
def test_every_permission_code_closes_the_account(code: int) -> None:
    assert row_for(code, None) is TABLE[200, None]


@pytest.mark.parametrize("code", [80000, 80002, 80006, 80014])
def test_every_business_use_case_limit_throttles_the_account(code: int) -> None:
    row = row_for(code, 1)
    assert row is not None
    assert row.verdict is Verdict.THROTTLED_ACCOUNT


@pytest.mark.parametrize("code", [0, 9, 199, 300, 79999, 80015, 424242])
def test_codes_outside_the_table_have_no_row(code: int) -> None:
    assert row_for(code, None) is None


def test_every_verdict_is_a_throttle_a_refusal_or_handled_by_name() -> None:
    by_name = {Verdict.UNKNOWN, Verdict.MEDIA, Verdict.ALREADY_REPLIED}
    assert THROTTLE_SCOPES.keys() | REFUSAL_SCOPES.keys() | by_name == set(Verdict)


def test_every_verdict_is_used() -> None:
    assert {row.verdict for row in TABLE.values()} == set(Verdict)


@pytest.mark.parametrize(("pair", "row"), TABLE.items(), ids=str)
def test_meanings_are_plain_lines_that_read_on_after_a_colon(pair: object, row: object) -> None:
    meaning = getattr(row, "meaning", "")
    assert 10 < len(meaning) < 100
    assert not meaning.endswith(".")
    assert "\n" not in meaning


# Meta documents or teams have observed that the message may have gone despite the error.
MAY_HAVE_GONE = [
    (-1, None),
    (1, None),
    (1, 99),
    (1, 1357046),
    (2, None),
    (2, 1545133),
    (1200, None),
]


@pytest.mark.parametrize("pair", MAY_HAVE_GONE)
def test_errors_that_may_come_with_a_sent_message_are_unknown(
    pair: tuple[int, int | None],
) -> None:
    assert TABLE[pair].verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("pair", "verdict"),
    [
        ((10, 2534022), Verdict.WINDOW),
        ((100, 2534014), Verdict.RECIPIENT),
        ((100, 2534025), Verdict.ALREADY_REPLIED),
        ((100, 2534029), Verdict.ACCOUNT),
        ((190, None), Verdict.ACCOUNT),
        ((200, 2534041), Verdict.ACCOUNT),
        ((368, None), Verdict.ACCOUNT),
        ((551, None), Verdict.RECIPIENT),
        ((613, None), Verdict.THROTTLED_ACCOUNT),
        ((613, 2534040), Verdict.THROTTLED_ACCOUNT),
        ((613, 2018338), Verdict.THROTTLED_CONVERSATION),
        ((4, None), Verdict.THROTTLED_APP),
    ],
)
def test_the_errors_seen_most_are_classed_as_researched(
    pair: tuple[int, int | None], verdict: Verdict
) -> None:
    assert TABLE[pair].verdict is verdict
