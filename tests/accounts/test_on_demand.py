"""Accounts that are looked up on demand: what is asked when, and what is kept when none answers."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from tests.support.waiting import eventually
from worker.accounts import on_demand
from worker.accounts.on_demand import OnDemandAccounts
from worker.accounts.origin import (
    ABSENT,
    UNCHANGED,
    Answer,
    Found,
    Mark,
    OriginUnavailable,
    Unusable,
)
from worker.accounts.reading import AccountsError
from worker.core.account import Account
from worker.core.admission import NotYet
from worker.core.outcome import Wait
from worker.core.request import AccountId
from worker.core.secret import Secret

ONE, TWO = AccountId("17841400000000001"), AccountId("17841400000000002")


class Scripted:
    """An origin that a test writes: tokens by id, and what goes wrong."""

    shown = "https://tokens.example/{account_id}"
    most_at_once = 2

    def __init__(self) -> None:
        self.tokens = {ONE: "IGAAone"}
        self.asked: list[tuple[str, Mark]] = []
        self.is_away = False
        self.problem: str | None = None
        self.hangs: dict[str, asyncio.Event] = {}
        self.is_closed = False

    async def ask(self, marks: Mapping[str, Mark]) -> Mapping[str, Answer]:
        self.asked += marks.items()
        for account_id in marks:
            if account_id in self.hangs:
                await self.hangs[account_id].wait()
        if self.is_away:
            raise OriginUnavailable("the service is away; look at it")
        return {account_id: self._answer(account_id, mark) for account_id, mark in marks.items()}

    def _answer(self, account_id: str, mark: Mark) -> Answer:
        token = self.tokens.get(AccountId(account_id))
        if self.problem is not None:
            return Unusable(self.problem)
        if token is None:
            return ABSENT
        return UNCHANGED if token == mark else Found(Account(account_id, Secret(token)), token)

    async def ids(self) -> AsyncIterator[str]:
        for account_id in self.tokens:
            yield account_id

    async def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def origin() -> Scripted:
    return Scripted()


@pytest.fixture
def accounts(origin: Scripted, monkeypatch: pytest.MonkeyPatch) -> OnDemandAccounts:
    for name in ("PEACE_S", "ABSENT_S"):
        monkeypatch.setattr(on_demand, name, 0.0)
    monkeypatch.setattr(on_demand, "ROUND_EVERY_S", 0.01)
    return OnDemandAccounts(origin, now=lambda: 1000.0)


async def token_of(accounts: OnDemandAccounts, account_id: AccountId = ONE) -> str | None:
    account = await accounts.find(account_id)
    assert not isinstance(account, NotYet)
    return account.token.reveal if account else None


async def test_account_is_asked_about_once_and_then_known(
    accounts: OnDemandAccounts, origin: Scripted
) -> None:
    assert (accounts.count, accounts.trouble) == (0, None)
    assert [await token_of(accounts) for _ in range(3)] == ["IGAAone"] * 3
    assert origin.asked == [(ONE, None)]
    assert (accounts.count, list(accounts.accounts), accounts.loaded_at) == (1, [ONE], 1000.0)


async def test_all_who_need_an_account_share_one_question_and_hold_up_no_other(
    accounts: OnDemandAccounts, origin: Scripted
) -> None:
    origin.tokens[TWO] = "IGAAtwo"
    origin.hangs[ONE] = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(token_of(accounts)) for _ in range(5)]
        assert await token_of(accounts, TWO) == "IGAAtwo"
        origin.hangs[ONE].set()
    assert [task.result() for task in waiting] == ["IGAAone"] * 5
    assert origin.asked.count((ONE, None)) == 1


async def test_who_asked_first_and_is_cancelled_leaves_the_question_to_the_next(
    accounts: OnDemandAccounts, origin: Scripted
) -> None:
    origin.hangs[ONE] = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(token_of(accounts))
        await eventually(lambda: len(origin.asked) == 1)
        second = tasks.create_task(token_of(accounts))
        first.cancel()
        origin.hangs[ONE].set()
    assert second.result() == "IGAAone"


async def test_unknown_account_is_none_and_found_once_it_is_there(
    accounts: OnDemandAccounts, origin: Scripted
) -> None:
    assert await token_of(accounts, TWO) is None
    origin.tokens[TWO] = "IGAAtwo"
    assert await token_of(accounts, TWO) == "IGAAtwo"


async def test_that_there_is_no_such_account_is_believed_for_a_while(
    accounts: OnDemandAccounts, origin: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_demand, "ABSENT_S", 60.0)
    assert [await token_of(accounts, TWO) for _ in range(3)] == [None] * 3
    assert origin.asked == [(TWO, None)]


async def test_account_that_cannot_be_known_is_put_off_and_not_called_absent(
    accounts: OnDemandAccounts, origin: Scripted
) -> None:
    origin.is_away = True
    assert await accounts.find(ONE) == NotYet(1000.0 + on_demand.PUT_OFF_S, Wait.ACCOUNTS)
    why: list[str | None] = [accounts.last_error, accounts.trouble]
    assert why == ["the service is away; look at it"] * 2
    origin.is_away = False
    assert await token_of(accounts) == "IGAAone"
    assert [accounts.last_error, accounts.trouble] == [None, None]


async def test_what_was_known_stays_in_force_while_the_origin_is_away(
    accounts: OnDemandAccounts, origin: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_demand, "FRESH_S", 0.0)
    assert await token_of(accounts) == "IGAAone"
    origin.is_away = True
    assert [await token_of(accounts) for _ in range(3)] == ["IGAAone"] * 3
    assert accounts.trouble is None, "what is known can be sent"
    # The one after the failure asks no more: it would wait for the time-out each time.
    assert len(origin.asked) == 2


async def test_unusable_entry_leaves_the_last_good_one_and_says_so(
    accounts: OnDemandAccounts, origin: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_demand, "FRESH_S", 0.0)
    assert await token_of(accounts) == "IGAAone"
    origin.problem = "its token is empty"
    assert await token_of(accounts) == "IGAAone"
    assert accounts.last_error == "its token is empty"


async def test_unusable_entry_of_an_account_not_known_yet_puts_off(
    accounts: OnDemandAccounts, origin: Scripted
) -> None:
    origin.problem = "its token is empty"
    found = await accounts.find(ONE)
    assert isinstance(found, NotYet)
    assert accounts.last_error == "its token is empty"


async def test_a_known_account_that_was_not_used_for_a_while_is_asked_about_first(
    accounts: OnDemandAccounts, origin: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_demand, "FRESH_S", 0.0)
    assert await token_of(accounts) == "IGAAone"
    origin.tokens[ONE] = "IGAAnew"
    assert await token_of(accounts) == "IGAAnew"
    del origin.tokens[ONE]
    assert await token_of(accounts) is None


async def test_renewed_asks_again_and_gives_only_another_token(
    accounts: OnDemandAccounts, origin: Scripted
) -> None:
    account = await accounts.find(ONE)
    assert isinstance(account, Account)
    assert await accounts.renewed(account) is None
    assert origin.asked == [(ONE, None), (ONE, "IGAAone")]
    origin.tokens[ONE] = "IGAAnew"
    renewed = await accounts.renewed(account)
    assert renewed is not None
    assert renewed.token.reveal == "IGAAnew"


async def test_rounds_notice_changes_of_accounts_in_use_and_forget_strangers(
    accounts: OnDemandAccounts, origin: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await token_of(accounts) == "IGAAone"
    assert await token_of(accounts, TWO) is None
    monkeypatch.setattr(on_demand, "FRESH_S", 60.0)
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(accounts.watch())
        origin.tokens[ONE] = "IGAAnew"
        await eventually(lambda: accounts.accounts[ONE].token.reveal == "IGAAnew")
        monkeypatch.setattr(on_demand, "IN_USE_S", 0.0)
        await eventually(lambda: TWO not in accounts._known)
        asked = len(origin.asked)
        watching.cancel()
    assert (TWO, "IGAAone") not in origin.asked
    assert asked == len(origin.asked)


async def test_listing_asks_about_all_in_batches_and_about_one_alone(
    accounts: OnDemandAccounts, origin: Scripted
) -> None:
    origin.tokens |= {AccountId(str(number)): f"IGAA{number}" for number in range(4)}
    assert len(await accounts.listed()) == 5
    assert list(await OnDemandAccounts(origin).listed(TWO)) == []
    origin.is_away = True
    with pytest.raises(AccountsError, match="is away"):
        await OnDemandAccounts(origin).listed()


async def test_closing_closes_the_origin(accounts: OnDemandAccounts, origin: Scripted) -> None:
    await accounts.load()
    await accounts.close()
    assert origin.is_closed
