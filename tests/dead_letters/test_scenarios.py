"""Each scenario in small; `python -m tests.dead_letters` plays them at full size."""

import pytest

from tests.dead_letters import canary, kills, looks, one_account, two_operators
from tests.support.nodes import require_rabbitmq, require_redis

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]


async def test_letters_of_one_account_go_and_all_others_stay_as_they_were() -> None:
    require_rabbitmq()
    found = await one_account.run(one_account.Sizes(letters=2000, accounts=20))
    assert found.troubles == [], found.text()


async def test_replay_that_is_killed_over_and_over_sends_each_letter_once() -> None:
    require_rabbitmq()
    require_redis()
    found = await kills.run(kills.Sizes(letters=3000, accounts=10, kills=4, rate=80, latest_s=1.5))
    assert found.troubles == [], found.text()


async def test_canary_that_fails_stops_with_the_rest_untouched() -> None:
    require_rabbitmq()
    require_redis()
    found = await canary.run(canary.Sizes(letters=200))
    assert found.troubles == [], found.text()


async def test_two_operators_at_once_replay_each_letter_once() -> None:
    require_rabbitmq()
    found = await two_operators.run(two_operators.Sizes(letters=500))
    assert found.troubles == [], found.text()


async def test_looking_changes_nothing_whoever_is_killed_at_it() -> None:
    require_rabbitmq()
    found = await looks.run(looks.Sizes(letters=3000, looks=6, kill_every=3))
    assert found.troubles == [], found.text()
