"""A request whose file is wrong had a slot and a turn: both gates give them on, and remember it."""

import pytest

from tests.gate.world import World, a_request
from tests.support.pipeline import ACCOUNT
from worker.core.account import Account
from worker.core.admission import Concluded, Go
from worker.core.ending import event_of
from worker.core.kind import Bucket
from worker.core.outcome import Dead
from worker.core.problem import Problem
from worker.core.progress import Progress
from worker.core.rate_limit import Limit
from worker.core.reason import Reason
from worker.core.secret import Secret

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_request_with_a_wrong_file_gives_its_slot_and_turn_back_and_is_remembered(
    gate: World,
) -> None:
    account = Account(ACCOUNT, Secret("IGAAone"), limits={Bucket.TEXT: Limit(1, 60.0)})
    wrong, following = a_request(id="wrong"), a_request(id="next")
    assert isinstance(await gate.admit(wrong, account), Go)
    outcome = Dead(Reason.INVALID, "no image", Progress(), problems=(Problem("/a", "no image"),))
    event = event_of(outcome, wrong.identity, finished_at=gate.clock.now())
    await gate.gate.conclude(wrong, outcome, event, is_slot_unused=True)
    await gate.gate.settled(wrong)
    assert isinstance(await gate.admit(following, account), Go)
    again = await gate.admit(wrong, account)
    assert isinstance(again, Concluded)
    assert again.event.reason == "invalid"
