"""What the doctor says of the API's clock, by the Date header of a real answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web

from worker.cli.examine.api import api
from worker.cli.examine.line import Line, Verdict
from worker.config import Config


@asynccontextmanager
async def an_api(date: str) -> AsyncIterator[str]:
    """Serve 200 to everything, with this Date."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(headers={"Date": date})

    application = web.Application()
    application.router.add_route("*", "/", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def line_for(date: str) -> Line:
    async with an_api(date) as url:
        return await api(Config.from_env({"IGSEND_GRAPH_URL": url}))


@pytest.mark.parametrize(("minutes", "side"), [(10, "behind"), (-10, "ahead of")])
async def test_clock_that_is_wrong_is_a_warning_that_says_which_way(
    minutes: int, side: str
) -> None:
    there = datetime.now(UTC) + timedelta(minutes=minutes)
    line = await line_for(format_datetime(there, usegmt=True))
    assert line.verdict is Verdict.WARN
    assert side in line.found
    assert line.advice


async def test_clock_that_agrees_is_ok() -> None:
    line = await line_for(format_datetime(datetime.now(UTC), usegmt=True))
    assert (line.verdict, line.found.endswith("clocks agree")) == (Verdict.OK, True)


@pytest.mark.parametrize("date", ["yesterday", "Mon, 99 Foo 2026 10:00:00 GMT"])
async def test_date_that_is_none_is_told_and_ends_nothing(date: str) -> None:
    line = await line_for(date)
    assert (line.verdict, "without a date" in line.found) == (Verdict.OK, True)


async def test_nobody_there_is_told_with_the_reason() -> None:
    line = await api(Config.from_env({"IGSEND_GRAPH_URL": "http://127.0.0.1:1"}))
    assert line.verdict is Verdict.FAIL
    assert "refused" in line.found.lower()
    assert "egress" in line.advice
