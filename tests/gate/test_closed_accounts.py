"""How many accounts are closed, and why: one suite over memory and Redis."""

import pytest

from tests.gate.world import ERROR, World, a_request
from worker.core.account import Account
from worker.core.secret import Secret
from worker.core.send_result import Refused, Scope, Throttled

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_closed_accounts_are_counted_by_why(gate: World) -> None:
    request = a_request()
    await gate.admit(request)
    assert gate.gate.closed() == {"refused": 0, "throttled": 0, "app": 0}
    await gate.close(request, Throttled(Scope.ACCOUNT, ERROR, 60.0))
    assert gate.gate.closed() == {"refused": 0, "throttled": 1, "app": 0}
    gate.clock.time += 61.0
    assert gate.gate.closed()["throttled"] == 0
    other = a_request(id="o", account_id="99", recipient={"id": "p"})
    account = Account("99", Secret("t"))
    await gate.admit(other, account)
    await gate.close(other, Refused(Scope.ACCOUNT, ERROR), account)
    assert gate.gate.closed()["refused"] == 1
