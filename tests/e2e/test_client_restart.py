"""The broker goes away in the middle of what the client publishes: nothing is lost or doubled."""

from pathlib import Path

import pytest

from tests.e2e.client_restart import How, broken_off
from tests.support.nodes import require_rabbitmq

pytestmark = pytest.mark.broker

REQUESTS = 1_000


@pytest.mark.parametrize("how", ["restart", "kill"])
async def test_broker_that_goes_midway_loses_and_doubles_nothing(how: How, tmp_path: Path) -> None:
    require_rabbitmq()
    books = await broken_off(REQUESTS, how, tmp_path)
    assert (books.taken, books.sent, len(books.arrived), books.twice) == (
        REQUESTS,
        REQUESTS,
        REQUESTS,
        0,
    ), books
