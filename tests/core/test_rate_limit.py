"""No sliding window ever holds more than the limit, and hardly less is used of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.core.kind import Bucket
from worker.core.rate_limit import PUBLISHED_LIMITS, Limit, Pace, next_slot, parse_limit

START = 1_795_340_000.0
LIMITS = st.builds(
    Limit,
    calls=st.one_of(st.integers(1, 12), st.sampled_from([20, 33, 50, 100, 101, 300])),
    period_s=st.sampled_from([1.0, 60.0, 3600.0]),
)
MARGINS = st.one_of(st.just(0.0), st.just(0.03), st.floats(0, 0.89))
# (periods that pass, calls asked for at that moment): idle spells, trickles and floods.
ARRIVALS = st.lists(
    st.tuples(st.one_of(st.just(0.0), st.floats(0, 0.02), st.floats(0, 3)), st.integers(1, 150)),
    min_size=1,
    max_size=12,
)


def slots_of(pace: Pace, asked_at: list[float]) -> list[float]:
    slots, arrival_time = [], 0.0
    for now in asked_at:
        slot, arrival_time = next_slot(arrival_time, pace, now=now)
        slots.append(slot)
    return slots


def most_in_any_window(slots: list[float], period_s: float) -> int:
    """The fullest window of this length, both ends included; it begins at some slot."""
    most, first = 0, 0
    for last, slot in enumerate(slots):
        while slots[first] < slot - period_s:
            first += 1
        most = max(most, last - first + 1)
    return most


@settings(max_examples=150)
@given(LIMITS, MARGINS, ARRIVALS)
def test_no_sliding_window_ever_holds_more_calls_than_the_limit(
    limit: Limit, margin: float, arrivals: list[tuple[float, int]]
) -> None:
    now, asked_at = START, []
    for periods, calls in arrivals:
        now += periods * limit.period_s
        asked_at += [now] * calls
    slots = slots_of(Pace.within(limit, margin=margin), asked_at)
    assert most_in_any_window(slots, limit.period_s) <= limit.calls


@pytest.mark.parametrize("limit", PUBLISHED_LIMITS.values())
@pytest.mark.parametrize("margin", [0.0, 0.001, 0.03, 0.5])
def test_flood_over_many_periods_keeps_the_published_limits(limit: Limit, margin: float) -> None:
    pace = Pace.within(limit, margin=margin)
    slots = slots_of(pace, [START] * (5 * limit.calls))
    assert most_in_any_window(slots, limit.period_s) <= limit.calls


@given(
    st.builds(Limit, calls=st.integers(20, 2000), period_s=st.sampled_from([1.0, 3600.0])),
    st.floats(0, 0.5),
)
@settings(max_examples=50)
def test_flood_uses_at_least_95_percent_of_what_the_margin_leaves(
    limit: Limit, margin: float
) -> None:
    periods = 3
    slots = slots_of(Pace.within(limit, margin=margin), [START] * (periods * limit.calls))
    used = sum(slot <= START + periods * limit.period_s for slot in slots)
    assert used >= 0.95 * periods * limit.calls * (1 - margin)


@given(LIMITS, MARGINS, ARRIVALS)
@settings(max_examples=50)
def test_slots_are_never_in_the_past_and_come_in_the_order_of_asking(
    limit: Limit, margin: float, arrivals: list[tuple[float, int]]
) -> None:
    asked_at = [START + periods for periods, _ in arrivals]
    slots = slots_of(Pace.within(limit, margin=margin), sorted(asked_at))
    assert all(slot >= asked for slot, asked in zip(slots, sorted(asked_at), strict=True))
    assert slots == sorted(slots)


def test_first_call_of_an_unused_bucket_goes_at_once() -> None:
    slot, _ = next_slot(0.0, Pace.within(Limit(1, 3600.0), margin=0.03), now=START)
    assert slot == START


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("100/s", Limit(100, 1.0)),
        (" 6/m ", Limit(6, 60.0)),
        ("750/h", Limit(750, 3600.0)),
        ("1/d", Limit(1, 86400.0)),
    ],
)
def test_limit_is_read_and_written_in_the_same_form(text: str, limit: Limit) -> None:
    assert parse_limit(text) == limit
    assert str(limit) == text.strip()


def test_limit_of_an_odd_period_can_still_be_shown() -> None:
    assert str(Limit(5, 10.0)) == "5/10 s"


@pytest.mark.parametrize("text", ["", "100", "0/s", "-1/s", "1.5/s", "100/w", "100/s/s", "10 /s"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="like 100/s"):
        parse_limit(text)


def test_every_bucket_has_a_published_limit() -> None:
    assert PUBLISHED_LIMITS.keys() == set(Bucket)


@settings(max_examples=60)
@given(LIMITS, st.floats(0.01, 1), ARRIVALS)
def test_share_of_a_limit_is_never_exceeded_by_a_whole_call(
    limit: Limit, share: float, arrivals: list[tuple[float, int]]
) -> None:
    now, asked_at = START, []
    for periods, calls in arrivals:
        now += periods * limit.period_s
        asked_at += [now] * calls
    slots = slots_of(Pace.within(limit, margin=0.03, share=share), asked_at)
    for number, start in enumerate(slots):
        later = slots[number : number + limit.calls + 2]
        assert sum(slot <= start + limit.period_s for slot in later) < limit.calls * share + 1


def test_whole_share_is_the_limit_itself() -> None:
    limit = Limit(100, 1.0)
    assert Pace.within(limit, margin=0.03, share=1.0) == Pace.within(limit, margin=0.03)
