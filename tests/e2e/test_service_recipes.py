"""The web services of docs/recipes, served as their first lines say."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.support.builders import ACCOUNT_ID
from tests.support.commands import environment
from tests.support.http_calls import Answer, call
from tests.support.nodes import Broker
from tests.support.pip import with_requirements
from tests.support.recipes import RECIPES, recipes_system
from tests.support.system import System
from tests.support.waiting import eventually
from worker.local.ports import LOOPBACK, free_ports

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

FOLDER = RECIPES / "python"
SERVED = {
    "fastapi": ("-m", "uvicorn", "fastapi_service:app", "--port", "{port}"),
    "flask": ("-m", "flask", "--app", "flask_service", "run", "--port", "{port}"),
    "django": ("django_service.py", "runserver", "--noreload", "{port}"),
}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_requirements(FOLDER / "requirements.txt", tmp_path_factory.mktemp("packages"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recipes(
    module_broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    async with recipes_system(module_broker, tmp_path_factory.mktemp("system")) as system:
        yield system


@asynccontextmanager
async def served(name: str, packages: Path, system: System) -> AsyncIterator[str]:
    """Serve a recipe on a free port, and give its URL."""
    (port,) = free_ports(1)
    url = f"http://{LOOPBACK}:{port}"
    settings = {"IGSEND_AMQP_URL": system.broker.amqp_url, "PYTHONPATH": str(packages)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *(argument.format(port=port) for argument in SERVED[name]),
        env={**environment(settings), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=FOLDER,
    )

    async def answers() -> bool:
        assert process.returncode is None, f"{name} ended with {process.returncode}"
        try:
            return (await call("GET", f"{url}/healthz")).status in {200, 404}
        except aiohttp.ClientError:
            return False

    try:
        await eventually(answers)
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def shipped(url: str, number: int, customer: str) -> Answer:
    return await call("POST", f"{url}/orders/{number}/shipped?customer={customer}")


async def texts_to(system: System, person: str) -> list[str]:
    return [
        message["body"]["message"]["text"]
        for message in await system.sandbox.messages(ACCOUNT_ID)
        if message["recipient_id"] == person
    ]


async def test_fastapi_sends_once_and_tells_how_it_ended(recipes: System, packages: Path) -> None:
    async with served("fastapi", packages, recipes) as url:
        answers = [await shipped(url, 71, "80071") for _ in range(2)]
        assert [(answer.status, answer.json) for answer in answers] == [
            (202, {"id": "order-71-shipped"})
        ] * 2

        async def is_told() -> bool:
            return bool((await call("GET", f"{url}/orders/71/shipped")).json["outcome"] == "sent")

        await eventually(is_told)
        assert (await call("GET", f"{url}/healthz")).status == 200
        wrong = await shipped(url, 72, "nobody%20at%20all")
        assert wrong.status == 422
        assert "/recipient/id" in wrong.text
    assert await texts_to(recipes, "80071") == ["Your order 71 is on its way."]


async def test_flask_sends_once_and_tells_how_it_ended(recipes: System, packages: Path) -> None:
    async with served("flask", packages, recipes) as url:
        answers = [await shipped(url, 81, "80081") for _ in range(2)]
        assert [(answer.status, answer.json["status"]) for answer in answers] == [(200, "sent")] * 2
        wrong = await shipped(url, 82, "nobody%20at%20all")
        assert wrong.status == 422
        assert "/recipient/id" in wrong.text
    assert await texts_to(recipes, "80081") == ["Your order 81 is on its way."]


async def test_django_sends_once(recipes: System, packages: Path) -> None:
    async with served("django", packages, recipes) as url:
        answers = [await shipped(url, 91, "80091") for _ in range(2)]
        assert [(answer.status, answer.json) for answer in answers] == [
            (202, {"id": "order-91-shipped"})
        ] * 2
        wrong = await shipped(url, 92, "nobody%20at%20all")
        assert wrong.status == 422
        assert "/recipient/id" in wrong.text

        async def is_sent() -> bool:
            return bool(await texts_to(recipes, "80091"))

        await eventually(is_sent)
    assert await texts_to(recipes, "80091") == ["Your order 91 is on its way."]
