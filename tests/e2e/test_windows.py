"""The rules of the messaging window against an API that judges by when the person really wrote.

Each row by hand: what the producer told, what is true, who wrote, what the account may.
"""

import itertools
import time
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from tests.support.builders import a_document
from tests.support.own_worker import worker_with
from tests.support.system import System
from worker.core.progress import rfc3339

pytestmark = pytest.mark.broker

APPROVED, PLAIN = "17841400000000101", "17841400000000102"
# Its file says that it may use the tag, and Meta says that it may not.
MISTAKEN = "17841400000000103"
MINUTE_S, DAY_S = 60.0, 86_400.0
AGES_S = {"now": MINUTE_S, "23:59": DAY_S - MINUTE_S, "3 days": 3 * DAY_S, "8 days": 8 * DAY_S}
KINDS: dict[str, dict[str, Any]] = {
    "message": {},
    "action": {"message": None, "sender_action": "typing_on"},
}

SENT, EXPIRED, REJECTED = ("sent", None), ("failed", "expired"), ("failed", "rejected")
Row = tuple[str, bool, str, str, str]
ROWS: list[Row] = [
    *itertools.product(
        AGES_S, (True, False), ("human", "automation"), (APPROVED, PLAIN, MISTAKEN), KINDS
    )
]


def expected(row: Row) -> tuple[tuple[str, str | None], int, str | None]:
    """Say how it ends, after how many calls, and with which tag."""
    age, is_told, author, account_id, kind = row
    may_tag = (author, kind) == ("human", "message") and account_id != PLAIN
    if age in ("now", "23:59"):
        return SENT, 1, None
    if age == "3 days" and may_tag:
        # Who was told tags at once; who was not learns it from the refusal.
        calls = 1 if is_told else 2
        return (SENT, calls, "HUMAN_AGENT") if account_id == APPROVED else (REJECTED, calls, None)
    if is_told:
        return EXPIRED, 0, None
    if account_id == MISTAKEN and may_tag:
        return REJECTED, 2, None
    return EXPIRED, 2 if may_tag else 1, None


async def test_every_row_of_the_window_ends_as_meta_says(system: System, tmp_path: Path) -> None:
    accounts = tmp_path / "accounts.toml"
    accounts.write_text(
        f'[accounts.{APPROVED}]\ntoken = "IGAAapproved"\nhuman_agent = true\n'
        f'[accounts.{PLAIN}]\ntoken = "IGAAplain"\n'
        f'[accounts.{MISTAKEN}]\ntoken = "IGAAmistaken"\nhuman_agent = true\n'
    )
    tokens = {APPROVED: "IGAAapproved", PLAIN: "IGAAplain", MISTAKEN: "IGAAmistaken"}
    for account_id, token in tokens.items():
        body = {"token": token, "human_agent": account_id == APPROVED}
        await system.sandbox.admin("PUT", f"accounts/{account_id}", body)
    found = {}
    async with worker_with(system, tmp_path, accounts) as (_, producer):
        keys = {}
        for number, row in enumerate(ROWS):
            age, is_told, author, account_id, kind = row
            person, at = str(720_000 + number), time.time() - AGES_S[age]
            inbound = {"account_id": account_id, "user_id": person, "at": rfc3339(at)}
            await system.sandbox.admin("POST", "inbound", inbound)
            fields = {**KINDS[kind], **({"last_inbound_at": rfc3339(at)} if is_told else {})}
            request = a_document(
                id=token_hex(6), account_id=account_id, recipient={"id": person}, author=author,
                **fields,
            )  # fmt: skip
            given = {name: value for name, value in request.items() if value is not None}
            keys[row] = person, await producer.publish(given)
        for row, (person, key) in keys.items():
            outcome = await producer.outcome(key)
            calls, tag = await calls_to(system, row[3], person)
            found[row] = (outcome["status"], outcome["reason"]), calls, tag
    assert found == {row: expected(row) for row in ROWS}


async def calls_to(system: System, account_id: str, person: str) -> tuple[int, str | None]:
    """Count the calls that named a person, and say how the accepted one was tagged."""
    calls = [
        call
        for call in await system.sandbox.calls(account_id)
        if call["recipient_id"] == person and call["method"] == "POST"
    ]
    messages = await system.sandbox.messages(account_id)
    tags = [message["body"].get("tag") for message in messages if message["recipient_id"] == person]
    return len(calls), tags[-1] if tags else None


@pytest.mark.parametrize(
    ("age", "is_told", "ending"),
    [
        ("now", False, SENT),
        ("3 days", True, SENT),
        ("3 days", False, SENT),
        ("8 days", True, EXPIRED),
        ("8 days", False, REJECTED),
    ],
)
async def test_a_comment_can_be_answered_for_a_week(
    system: System, tmp_path: Path, age: str, is_told: bool, ending: tuple[str, str | None]
) -> None:
    accounts = tmp_path / "accounts.toml"
    accounts.write_text(f'[accounts.{PLAIN}]\ntoken = "IGAAplain"\n')
    await system.sandbox.admin("PUT", f"accounts/{PLAIN}", {"token": "IGAAplain"})
    comment_id, at = f"1790{time.time_ns()}", rfc3339(time.time() - AGES_S[age])
    comment = {"account_id": PLAIN, "comment_id": comment_id, "user_id": "720999", "at": at}
    await system.sandbox.admin("POST", "comments", comment)
    told = {"last_inbound_at": at} if is_told else {}
    recipient = {"comment_id": comment_id}
    request = a_document(id=token_hex(6), account_id=PLAIN, recipient=recipient, **told)
    async with worker_with(system, tmp_path, accounts) as (_, producer):
        outcome = await producer.outcome_of(request)
        assert (outcome["status"], outcome["reason"]) == ending
        second = {**request, "id": token_hex(6)}
        again = await producer.outcome_of(second)
    # One private reply a comment: the second request is another message.
    assert (again["status"], again["reason"]) == (REJECTED if ending == SENT else ending)
