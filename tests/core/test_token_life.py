"""A token is refreshed near its end, if it can be, and its end is seen coming."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import NOW, an_account
from worker.core.account import Account
from worker.core.token_life import DAY_S, NOTHING_KNOWN, Due, Expiring, due_of, survey_of

SECOND = 1.0


def ending(in_s: float | None, account_id: str = "1") -> Account:
    return replace(an_account(account_id), expires_at=None if in_s is None else NOW + in_s)


@pytest.mark.parametrize(
    ("in_s", "within_days", "is_named", "expected"),
    [
        (None, 10, False, Due.UNKNOWN),
        (None, 10, True, Due.DUE),
        (-SECOND, 10, True, Due.EXPIRED),
        (0, 10, False, Due.EXPIRED),
        (SECOND, 10, False, Due.DUE),
        (10 * DAY_S, 10, False, Due.DUE),
        (10 * DAY_S + SECOND, 10, False, Due.NOT_DUE),
        (10 * DAY_S + SECOND, 10, True, Due.NOT_DUE),
        (59 * DAY_S, 60, False, Due.DUE),
        (59 * DAY_S + SECOND, 60, False, Due.TOO_YOUNG),
        (60 * DAY_S, 60, True, Due.TOO_YOUNG),
    ],
)
def test_token_is_due_near_its_end_and_not_on_its_first_day(
    in_s: float | None, within_days: int, is_named: bool, expected: Due
) -> None:
    due = due_of(ending(in_s), now=NOW, within_s=within_days * DAY_S, is_named=is_named)
    assert due is expected


def test_survey_counts_by_horizon_and_names_the_soonest() -> None:
    days = [None, -1.0, 0.0, 0.5, 1.0, 9.0, 10.0, 10.5, 40.0]
    accounts = [
        ending(None if day is None else day * DAY_S, f"{number}") for number, day in enumerate(days)
    ]
    survey = survey_of(reversed(accounts), now=NOW)
    assert survey.within == {"0d": 2, "1d": 4, "10d": 6}
    assert [token.account_id for token in survey.soonest] == ["1", "2", "3", "4", "5"]
    assert [token.account_id for token in survey.near] == ["1", "2", "3", "4", "5", "6"]
    assert survey.near[0] == Expiring(NOW - DAY_S, "1")


def test_ends_that_are_not_known_are_no_ends() -> None:
    assert survey_of([ending(None)], now=NOW) == survey_of([], now=NOW) == NOTHING_KNOWN


@given(st.lists(st.none() | st.floats(-1e6, 6e6), max_size=20))
def test_wider_horizons_hold_the_narrower(ends: list[float | None]) -> None:
    survey = survey_of([ending(end, str(number)) for number, end in enumerate(ends)], now=NOW)
    assert survey.within["0d"] <= survey.within["1d"] <= survey.within["10d"] == len(survey.near)
    assert list(survey.soonest) == sorted(survey.soonest, key=lambda token: token.expires_at)
