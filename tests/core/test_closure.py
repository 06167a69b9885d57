"""How long accounts stay closed, and when a refusal is the platform's."""

import pytest

from worker.core.closure import cooldown_s, is_outage


@pytest.mark.parametrize(
    ("asked_s", "strikes", "wait_s"),
    [(None, 1, 5), (None, 2, 10), (None, 7, 300), (None, 99, 300), (60.0, 5, 60), (0.0, 1, 1)],
)
def test_cooldown_is_what_the_api_asks_or_doubles(
    asked_s: float | None, strikes: int, wait_s: float
) -> None:
    assert cooldown_s(asked_s, strikes) == wait_s


@pytest.mark.parametrize(
    ("refused", "good", "is_one"),
    [(5, 0, True), (4, 0, False), (5, 5, False), (100, 99, True), (0, 0, False)],
)
def test_outage_is_many_refused_accounts_and_fewer_good_ones(
    refused: int, good: int, is_one: bool
) -> None:
    assert is_outage(refused, good) is is_one
