"""A call whose slot has passed by the time it has a connection does not leave."""

import time

from tests.integration.graph.calls import A_TEXT, a_client
from tests.support.builders import ACCOUNT_ID, TOKEN, an_account
from worker.core.send_result import Missed, Sent
from worker.sandbox.graph_server import running_sandbox


async def test_call_that_cannot_leave_in_time_does_not_leave() -> None:
    async with running_sandbox(accounts={ACCOUNT_ID: TOKEN}) as api, a_client(api.url) as client:
        past = time.time() - 1
        late = await client.send(an_account(), A_TEXT, tag={}, is_first_attempt=True, latest=past)
        assert late == Missed()
        assert not api.calls
        soon = await client.send(
            an_account(), A_TEXT, tag={}, is_first_attempt=True, latest=time.time() + 60
        )
        assert isinstance(soon, Sent)
        assert len(api.calls) == 1
