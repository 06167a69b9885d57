"""Redis learns neither the token nor a word of the message, however a request ends."""

from secrets import token_hex

import pytest
from redis.asyncio import Redis

from tests.gate.world import ERROR, World, a_request, redis_world
from tests.support.pipeline import ACCOUNT
from tests.support.redis_contents import everything_in
from tests.support.spellings import is_in
from worker.core.account import Account
from worker.core.admission import Closed, Doubtful, Go, NotYet
from worker.core.delivery import Lane
from worker.core.progress import Progress
from worker.core.request import SendRequest
from worker.core.secret import Secret
from worker.core.send_result import Refused, Scope, Throttled
from worker.gate.redis.gate import RedisGate

pytestmark = pytest.mark.asyncio(loop_scope="session")

MARK = token_hex(8)
TOKEN, TEXT, METADATA = f"IGAAtok{MARK}", f"txt{MARK}", f"meta{MARK}"
MARKED = Account(ACCOUNT, Secret(TOKEN), bulk_share=0.5)


def marked(name: str) -> SendRequest:
    return a_request(
        id=name, recipient={"id": name}, message={"text": TEXT}, metadata={"note": METADATA}
    )


async def lead_through(gate: World) -> None:
    """Have one request end, or wait, in each way that the gate writes something for."""
    for name in ("sent", "dead", "parked", "running", "throttled", "refused"):
        assert isinstance(await gate.admit(marked(name), MARKED), Go)
    assert isinstance(await gate.admit(marked("bulk"), MARKED, lane=Lane.BULK), Go)
    await gate.finish(marked("sent"))
    await gate.fail(marked("dead"))
    await gate.park(marked("parked"), gate.clock.now() + 60, progress=Progress(attempts=1))
    doubt = Progress(attempts=1, unknown_since=gate.clock.now() - 60)
    assert isinstance(await gate.admit(marked("doubtful"), MARKED, progress=doubt), Doubtful)
    throttled = await gate.close(
        marked("throttled"), Throttled(Scope.ACCOUNT, ERROR, retry_after_s=60.0), MARKED
    )
    assert isinstance(throttled, NotYet)
    assert isinstance(
        await gate.close(marked("refused"), Refused(Scope.ACCOUNT, ERROR), MARKED), Closed
    )


async def test_neither_token_nor_text_nor_metadata_is_in_redis(redis: str) -> None:
    async with redis_world(redis) as gate, Redis.from_url(redis) as client:
        await lead_through(gate)
        assert isinstance(gate.gate, RedisGate)
        prefix = gate.gate._arguments._prefix
        found = await everything_in(client, prefix)
    assert len(found) > 8, "the search is worth something"
    leaks = {
        (secret, key)
        for secret in (TOKEN, TEXT, METADATA)
        for key, held in found.items()
        if is_in(secret, key) or is_in(secret, held)
    }
    assert leaks == set()
