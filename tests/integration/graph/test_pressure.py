"""What the client makes of usage headers: nothing but a note on a success."""

import orjson
import pytest

from tests.integration.graph.calls import SUCCESS, a_client, send
from tests.support.builders import an_account
from tests.support.raw_http import Exchange, raw_peer
from worker.core.send_result import Refused, Scope, SendResult, Sent, Throttled

FULL_APP = 'X-App-Usage: {"call_volume":96,"cpu_time":3}\r\n'
FULL_ACCOUNT = (
    'x-business-use-case-usage: {"17841":[{"type":"instagram","call_count":97,'
    '"total_cputime":1,"total_time":1,"estimated_time_to_regain_access":4}]}\r\n'
)


async def result_for(headers: str, body: bytes = SUCCESS, status: int = 200) -> SendResult:
    async def answer(exchange: Exchange) -> None:
        await exchange.read_request()
        await exchange.answer(status, body, headers=headers)

    async with raw_peer(answer) as peer, a_client(peer.url) as client:
        return await send(client, an_account())


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("", None),
        ('X-App-Usage: {"call_volume":12,"cpu_time":3}\r\n', None),
        ("X-App-Usage: \xff\x01\r\n", None),
        (FULL_APP, (Scope.APP, None)),
        (FULL_ACCOUNT, (Scope.ACCOUNT, 240.0)),
        (FULL_APP + FULL_ACCOUNT, (Scope.APP, None)),
    ],
)
async def test_success_stays_one_and_says_what_is_nearly_used_up(
    headers: str, expected: tuple[Scope, float | None] | None
) -> None:
    result = await result_for(headers)
    assert isinstance(result, Sent)
    assert (result.message_id, result.recipient_id) == ("mid", "1")
    pressure = result.pressure
    assert (pressure and (pressure.scope, pressure.retry_after_s)) == expected


@pytest.mark.parametrize(
    ("code", "expected"), [(551, Scope.RECIPIENT), (613, Scope.ACCOUNT), (4, Scope.APP)]
)
async def test_refusal_keeps_its_own_way_whatever_the_headers_say(
    code: int, expected: Scope
) -> None:
    body = orjson.dumps({"error": {"code": code}})
    result = await result_for(FULL_APP + FULL_ACCOUNT, body, 400)
    assert isinstance(result, Refused | Throttled)
    assert result.scope is expected
    assert not isinstance(result, Throttled) or result.retry_after_s == 240.0
