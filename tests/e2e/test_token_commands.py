"""`igsend accounts check` and `refresh`, with a sandbox that knows each token's age and end."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.support.builders import a_document
from tests.support.commands import IGSEND, Finished, environment, igsend, said
from tests.support.nodes import RabbitServer, broker_for_one_test
from tests.support.producer import a_producer
from tests.support.raw_http import Exchange, raw_peer
from tests.support.system import (
    RunningWorker,
    Sandbox,
    running_sandbox,
    running_system,
    token_files,
)
from tests.support.waiting import DEADLINE_S, eventually
from worker.accounts.replacing import only_one
from worker.accounts.writing import lock_of
from worker.core.progress import rfc3339

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOOD, REVOKED, FOREIGN = "17841400000000081", "17841400000000082", "17841400000000083"
DAY_S = 86400.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    folder = tmp_path_factory.mktemp("sandbox")
    async with running_sandbox(folder) as running:
        yield running


async def let_in(sandbox: Sandbox, account_id: str, token: str, **times: float) -> None:
    await sandbox.admin("PUT", f"accounts/{account_id}", {"token": token, **times})


async def accounts(sandbox: Sandbox, source: Path | str, *arguments: str, **more: str) -> Finished:
    settings = {
        "IGSEND_ACCOUNTS": str(source),
        "IGSEND_GRAPH_URL": sandbox.url,
        # Nobody listens there: what the gate knows is not needed for tokens.
        "IGSEND_HTTP_HOST": "127.0.0.1",
        "IGSEND_HTTP_PORT": "1",
        **more,
    }
    done = await igsend("accounts", *arguments, settings=settings)
    assert "IGAA" not in done.out + done.err
    return done


def by_account(done: Finished) -> Mapping[str, Any]:
    return {line["account_id"]: line for line in done.json_lines}


def token_in(file: Path) -> str:
    return str(json.loads(file.read_text())["token"])


def entry(token: str, *, ends_in_s: float | None = None) -> str:
    ends = {} if ends_in_s is None else {"expires_at": rfc3339(time.time() + ends_in_s)}
    return json.dumps({"token": token, **ends})


async def test_check_says_of_each_token_whose_it_is_and_what_is_wrong(
    sandbox: Sandbox, tmp_path: Path, redis: str
) -> None:
    await let_in(sandbox, GOOD, "IGAAgood")
    await let_in(sandbox, FOREIGN, "IGAAforeign")
    scoped = (await whoami(sandbox, "IGAAforeign"))["id"]
    source = token_files(
        tmp_path / "accounts",
        {
            GOOD: entry("IGAAgood", ends_in_s=5 * DAY_S),
            REVOKED: "IGAArevoked",
            "4711": "IGAAforeign",
            scoped: "IGAAforeign",
        },
    )
    done = await accounts(sandbox, source, "check", "--json", IGSEND_GATE_URL=redis)
    assert (done.code, done.err) == (1, "igsend: 3 of 4 accounts failed\n")
    found = by_account(done)
    assert found[GOOD] | {"expires_at": None} == {
        "account_id": GOOD,
        "verdict": "warn",
        "username": "sandbox.000081",
        "user_id": GOOD,
        "expires_at": None,
        "permissions": {
            "instagram_business_basic": True,
            "instagram_business_manage_messages": True,
        },
        "gate": "open",
        "last_error": None,
        "problem": "the token ends in 5.0 days: igsend accounts refresh",
        "code": None,
        "subcode": None,
    }
    assert (found[REVOKED]["verdict"], found[REVOKED]["code"]) == ("fail", 190)
    assert f"belongs to another account, {FOREIGN}" in found["4711"]["problem"]
    assert f"need its user_id {FOREIGN}" in found[scoped]["problem"]


async def whoami(sandbox: Sandbox, token: str) -> Mapping[str, str]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{sandbox.url}/me?fields=id,user_id") as answer,
    ):
        found: Mapping[str, str] = await answer.json()
    return found


async def test_check_of_good_accounts_needs_no_worker(sandbox: Sandbox, tmp_path: Path) -> None:
    await let_in(sandbox, GOOD, "IGAAgood")
    source = token_files(tmp_path / "accounts", {GOOD: "IGAAgood", REVOKED: "IGAArevoked"})
    done = await accounts(sandbox, source, "check", GOOD)
    assert done.code == 0
    assert done.out == (
        f"ok    {GOOD} @sandbox.000081: the token works, and may read and send messages; "
        "end not known\n"
    )
    assert "open or closed is not known" in done.err
    unknown = await accounts(sandbox, source, "check", "5")
    assert (unknown.code, unknown.out) == (1, "")
    assert "not among the usable accounts of IGSEND_ACCOUNTS: 5" in unknown.err


async def test_api_that_cannot_be_asked_says_nothing_against_the_token(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    source = token_files(tmp_path / "accounts", {GOOD: "IGAAgood"})
    away = {"IGSEND_GRAPH_URL": "http://127.0.0.1:1"}
    done = await accounts(sandbox, source, "check", "--json", **away)
    assert done.code == 1
    problem = by_account(done)[GOOD]["problem"]
    assert problem.startswith("the API does not say whose token it is: the API could not be conn")


async def test_permission_that_is_missing_fails_the_check(sandbox: Sandbox, tmp_path: Path) -> None:
    await let_in(sandbox, GOOD, "IGAAgood")
    error = {"code": 10, "message": "no"}
    match = {"account_id": GOOD, "kind": "conversations"}
    await sandbox.admin("POST", "faults", {"match": match, "error": error})
    source = token_files(tmp_path / "accounts", {GOOD: "IGAAgood"})
    done = await accounts(sandbox, source, "check", "--json")
    await sandbox.admin("DELETE", "faults")
    found = by_account(done)[GOOD]
    assert (done.code, found["verdict"]) == (1, "fail")
    assert found["permissions"]["instagram_business_manage_messages"] is False


async def test_refresh_takes_what_is_near_and_can_be_repeated(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    near, far, unknown, ended = "91", "92", "93", "94"
    now = time.time()
    for account_id in (near, far, unknown, ended):
        await let_in(sandbox, account_id, f"IGAA{account_id}", issued_at=now - 50 * DAY_S)
    source = token_files(
        tmp_path / "accounts",
        {
            near: entry("IGAA91", ends_in_s=9 * DAY_S),
            far: entry("IGAA92", ends_in_s=11 * DAY_S),
            unknown: "IGAA93",
        },
    )
    before = {file.name: file.read_text() for file in source.iterdir()}
    dry = await accounts(sandbox, source, "refresh", "--dry-run", "--json")
    assert dry.code == 0
    results = {line["account_id"]: line["result"] for line in dry.json_lines}
    assert results == {near: "due", far: "not_due", unknown: "unknown_expiry"}
    assert {file.name: file.read_text() for file in source.iterdir()} == before

    first = await accounts(sandbox, source, "refresh")
    assert (first.code, first.err) == (0, "")
    assert first.out.startswith(f"ok    {near}: refreshed, ends ")
    assert first.out.endswith("1 not due, 1 refreshed, 1 unknown expiry\n")
    assert (await whoami(sandbox, token_in(source / near)))["user_id"] == near
    assert token_in(source / near) != "IGAA91"
    again = await accounts(sandbox, source, "refresh")
    assert (again.code, again.out) == (0, "2 not due, 1 unknown expiry\n")

    named = await accounts(sandbox, source, "refresh", unknown, "--json")
    assert by_account(named)[unknown]["result"] == "refreshed"
    assert by_account(named)[unknown]["expires_at"] > rfc3339(now + 59 * DAY_S)
    twice = await accounts(sandbox, source, "refresh", unknown)
    assert (twice.code, twice.out.startswith(f"ok    {unknown}: not due,")) == (0, True)

    (source / ended).write_text(entry("IGAA94", ends_in_s=-1))
    last = await accounts(sandbox, source, "refresh")
    assert last.code == 1
    assert f"fail  {ended}: its token has ended" in last.out


async def test_what_the_api_refuses_changes_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    await let_in(sandbox, GOOD, "IGAAgood", issued_at=time.time())
    tokens = {GOOD: "IGAAgood", REVOKED: "IGAArevoked"}
    source = token_files(tmp_path / "accounts", tokens)
    done = await accounts(sandbox, source, "refresh", GOOD, REVOKED, "--json")
    assert (done.code, done.err) == (1, "igsend: 2 of 2 accounts failed\n")
    found = by_account(done)
    assert "(100); nothing changed" in found[GOOD]["problem"]
    assert "(190); nothing changed" in found[REVOKED]["problem"]
    assert {name: (source / name).read_text() for name in tokens} == tokens


async def test_source_that_cannot_be_written_is_refused_before_the_call(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    await let_in(sandbox, GOOD, "IGAAgood")
    await sandbox.admin("DELETE", "messages")
    mount = tmp_path / "mounted"
    (mount / "..2026").mkdir(parents=True)
    (mount / "..2026" / GOOD).write_text("IGAAgood")
    (mount / "..data").symlink_to("..2026")
    (mount / GOOD).symlink_to(f"..data/{GOOD}")
    secret = await accounts(sandbox, mount, "refresh", GOOD)
    assert secret.code == 1
    assert "in a Secret that Kubernetes mounted; run this where the tokens are kept" in secret.out
    service = await accounts(sandbox, "redis://127.0.0.1:1/0", "refresh", GOOD)
    nowhere = await accounts(sandbox, tmp_path / "none", "refresh", GOOD)
    assert (service.code, nowhere.code) == (2, 2)
    assert "must be a directory or a file for this" in service.err
    assert "there is no such directory or file" in nowhere.err
    assert await sandbox.admin("GET", "calls") == []


async def test_two_at_once_are_one_and_one_that_says_so(sandbox: Sandbox, tmp_path: Path) -> None:
    source = token_files(tmp_path / "accounts", {GOOD: "IGAAgood"})
    with only_one(lock_of(source)):
        done = await accounts(sandbox, source, "refresh", GOOD)
    assert (done.code, done.out) == (1, "")
    assert "another igsend accounts refresh is at work" in done.err


@pytest.mark.broker
async def test_refresh_beside_a_worker_costs_no_request(
    rabbitmq: RabbitServer, tmp_path: Path
) -> None:
    account_id, worker_sends = "17841400000000089", 30
    tokens = {account_id: entry("IGAAsoon", ends_in_s=3 * DAY_S)}
    async with (
        broker_for_one_test(rabbitmq) as broker,
        running_system(broker, tmp_path, tokens) as system,
        a_producer(broker) as producer,
    ):
        await said(system.worker.process, "token ends soon")
        soonest = await tokens_in_status(system.worker)
        assert [token["account_id"] for token in soonest] == [account_id]

        async def send(number: int) -> str:
            document = a_document(id=f"refresh-{number}", account_id=account_id)
            return str((await producer.outcome_of(document))["status"])

        first = [await send(number) for number in range(worker_sends // 2)]
        settings = dict(system.settings)
        done = await igsend("accounts", "refresh", "--json", settings=settings)
        assert by_account(done)[account_id]["result"] == "refreshed", done.err
        # The API lets the old one end; the worker may not have seen the new one yet.
        await let_in(system.sandbox, account_id, token_in(system.accounts / account_id))
        last = [await send(number) for number in range(worker_sends // 2, worker_sends)]
        assert first + last == ["sent"] * worker_sends


async def tokens_in_status(worker: RunningWorker) -> list[Any]:
    found: list[Any] = []

    async def is_told() -> bool:
        found[:] = (await worker.get("/status")).json["accounts"]["tokens"]["soonest"]
        return bool(found)

    await eventually(is_told)
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signal_ends_a_refresh_after_the_account_under_way(
    tmp_path: Path, number: signal.Signals
) -> None:
    first, second = "95", "96"
    source = token_files(
        tmp_path / "accounts",
        {
            first: entry("IGAAfirst", ends_in_s=DAY_S),
            second: entry("IGAAsecond", ends_in_s=2 * DAY_S),
        },
    )
    asked = asyncio.Event()
    signalled = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        await exchange.reader.readuntil(b"\r\n\r\n")
        asked.set()
        # The API has made the new token by now: who goes away loses it.
        await signalled.wait()
        new = {"access_token": "IGAAnew", "token_type": "bearer", "expires_in": 5_183_944}
        await exchange.answer(200, json.dumps(new).encode())

    async with raw_peer(answer) as peer:
        settings = {"IGSEND_ACCOUNTS": str(source), "IGSEND_GRAPH_URL": peer.url}
        command = await asyncio.create_subprocess_exec(
            IGSEND, "accounts", "refresh", env=environment(settings), stderr=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(DEADLINE_S):
                await asked.wait()
                command.send_signal(number)
                # Nothing shows from outside that the command has noticed.
                await asyncio.sleep(1.0)
                signalled.set()
                _, err = await command.communicate()
        finally:
            if command.returncode is None:
                command.kill()
    assert command.returncode == 1
    assert "stopped by a signal; the accounts not named above are as they were" in err.decode()
    assert token_in(source / first) == "IGAAnew"
    assert (token_in(source / second), peer.connections) == ("IGAAsecond", 1)
