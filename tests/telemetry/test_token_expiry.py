"""A token that ends soon is told of in time, once a day, and never in a flood."""

import asyncio
from dataclasses import dataclass, replace

import pytest

from tests.support.builders import NOW, TOKEN, an_account
from tests.support.waiting import eventually
from tests.telemetry.captured_logs import captured_logs
from tests.telemetry.samples import sample, some_metrics
from worker.core.account import Account
from worker.core.progress import rfc3339
from worker.core.token_life import DAY_S, survey_of
from worker.telemetry.token_expiry import MOST_LINES, TokenExpiry


@dataclass
class Scene:
    time: float = NOW

    def __post_init__(self) -> None:
        self.metrics = some_metrics()
        self.expiry = TokenExpiry(self.metrics, now=lambda: self.time)

    def look(self, *accounts: Account) -> list[str]:
        """Give the accounts that were warned of."""
        with captured_logs() as logs:
            self.expiry.take(survey_of(accounts, now=self.time))
        assert TOKEN.encode() not in logs.raw
        assert all(line["level"] == "warning" for line in logs.lines)
        return [line.get("account_id", f"{line.get('accounts')} more") for line in logs.lines]


def ending(in_days: float, account_id: str = "1") -> Account:
    return replace(an_account(account_id), expires_at=NOW + in_days * DAY_S)


def test_account_is_warned_of_ten_days_ahead_and_once_a_day() -> None:
    scene = Scene()
    assert scene.look(ending(10.5)) == []
    scene.time += DAY_S
    assert scene.look(ending(10.5)) == ["1"]
    scene.time += DAY_S - 1
    assert scene.look(ending(10.5)) == []
    scene.time += 1
    assert scene.look(ending(10.5)) == ["1"]


def test_account_that_was_refreshed_is_warned_of_anew_when_it_is_time() -> None:
    scene = Scene()
    assert scene.look(ending(1)) == ["1"]
    assert scene.look(ending(60)) == []
    assert scene.look(ending(1)) == ["1"]


def test_fleet_that_ends_on_one_day_makes_few_lines() -> None:
    scene = Scene()
    fleet = [ending(1, str(number)) for number in range(5000)]
    told = scene.look(*fleet)
    assert len(told) == MOST_LINES + 1
    assert told[-1] == f"{5000 - MOST_LINES} more"
    assert scene.look(*fleet) == []


def test_metrics_and_status_name_how_many_and_the_soonest() -> None:
    scene = Scene()
    assert sample(scene.metrics, "igsend_token_soonest_end_timestamp_seconds") == float("inf")
    assert scene.expiry.status() == {"ending_within": {"0d": 0, "1d": 0, "10d": 0}, "soonest": []}
    scene.look(ending(-1, "7"), ending(5, "8"), ending(50, "9"))
    assert [
        sample(scene.metrics, "igsend_tokens_ending", within=within)
        for within in ("0d", "1d", "10d")
    ] == [1, 1, 2]
    assert sample(scene.metrics, "igsend_token_soonest_end_timestamp_seconds") == NOW - DAY_S
    assert scene.expiry.status()["soonest"] == [
        {"account_id": account_id, "expires_at": rfc3339(NOW + days * DAY_S)}
        for account_id, days in (("7", -1), ("8", 5), ("9", 50))
    ]


async def test_watch_looks_at_once() -> None:
    scene, accounts = Scene(), {"1": ending(1)}
    with captured_logs() as logs:
        task = asyncio.create_task(scene.expiry.watch(lambda: accounts))
        await eventually(lambda: bool(scene.expiry.status()["soonest"]))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [line["account_id"] for line in logs.lines] == ["1"]
