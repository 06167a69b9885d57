"""A producer's own tests run with the fakes, and without a broker."""

import subprocess
import sys
from pathlib import Path

import pytest

from worker.client import InvalidRequest, NoOutcome, NotTaken, SendError, request, sticker, text
from worker.client.testing import FakeClient, FakeSyncClient

ACCOUNT, PERSON = "17841405822304914", "1254477777772919"


def hello(person: str = PERSON) -> dict[str, object]:
    return request(ACCOUNT, person, text("Hello"))


async def test_it_records_what_is_sent_and_says_that_it_went() -> None:
    async with FakeClient() as igsend:
        sent = request(ACCOUNT, PERSON, text("Hello"), sticker(), metadata={"order": 1})
        receipt = await igsend.send(sent, lane="bulk", headers={"traceparent": "00-1-2-03"})
        outcome = await receipt.outcome(timeout=1)
    assert igsend.requests == [sent]
    assert (igsend.recorded[0].lane, igsend.recorded[0].headers) == (
        "bulk",
        {"traceparent": "00-1-2-03"},
    )
    assert (outcome.id, outcome.is_sent, len(outcome.message_ids)) == (sent["id"], True, 2)
    assert outcome.metadata == {"order": 1}
    assert igsend.trouble is None


async def test_it_ends_requests_as_the_test_says() -> None:
    igsend = FakeClient()
    igsend.ends("unconfirmed", when=lambda document: document["recipient"]["id"] == "2")
    igsend.ends("rejected", when=lambda document: document["recipient"]["id"] == "3")
    told = [await (await igsend.send(hello(person))).outcome() for person in ("1", "2", "3")]
    assert [(each.status, each.reason) for each in told] == [
        ("sent", None),
        ("held", "unconfirmed"),
        ("failed", "rejected"),
    ]
    assert [outcome async for outcome in igsend.outcomes("ours")] == told


async def test_it_refuses_what_the_worker_would_and_what_the_test_says() -> None:
    igsend = FakeClient()
    with pytest.raises(InvalidRequest):
        await igsend.send(request(ACCOUNT, PERSON, text("")))
    igsend.refuses(NotTaken("no exchange", request_id=None, account_id=None))
    results = [result async for result in igsend.send_all([hello()])]
    assert [type(result) for result in results] == [NotTaken]
    assert igsend.requests == []


def test_the_one_without_a_loop_does_the_same() -> None:
    with FakeSyncClient() as igsend:
        assert igsend.send(hello()).outcome().is_sent
        results = list(igsend.send_all([hello(), b"nonsense", hello()]))
    assert [isinstance(result, SendError) for result in results] == [False, True, False]
    assert len(igsend.requests) == 3


async def test_silence_is_a_timeout_too() -> None:
    igsend, plain = FakeClient(), FakeSyncClient()
    for each in (igsend, plain):
        each.keeps_silent(when=lambda document: document["recipient"]["id"] == "2")
    receipt = await igsend.send(hello("2"))
    with pytest.raises(TimeoutError, match=receipt.id):
        await receipt.outcome(timeout=5)
    with pytest.raises(NoOutcome):
        plain.send(hello("2")).outcome()
    assert [outcome async for outcome in igsend.outcomes("ours")] == []


def test_outcomes_of_a_service_are_told_without_a_loop_too() -> None:
    igsend = FakeSyncClient()
    receipts = [igsend.send(hello(person)) for person in ("1", "2")]
    with igsend.outcomes("ours") as outcomes:
        assert [outcome.id for outcome in outcomes] == [receipt.id for receipt in receipts]


def test_producers_test_suite_runs_with_the_plugin_and_no_broker(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["worker.client.testing"]\n')
    (tmp_path / "test_shop.py").write_text(
        """
import asyncio
from worker.client import Client, request, text

async def confirm_order(igsend: Client, number: int) -> None:
    await igsend.send(request("17841405822304914", "1254", text("On its way."), id=f"o-{number}"))

def test_person_is_told(igsend):
    asyncio.run(confirm_order(igsend, 7))
    (told,) = igsend.requests
    assert told["id"] == "o-7"

def test_without_a_loop(igsend_sync):
    igsend_sync.ends("expired")
    receipt = igsend_sync.send(request("17841405822304914", "1254", text("Too late?")))
    assert receipt.outcome().reason == "expired"
"""
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
