"""Who is told that an automation talks, and when: one suite over memory and Redis."""

from typing import Any

import pytest

from tests.gate.world import World, a_request
from tests.support.pipeline import ACCOUNT
from worker.core.account import Account, Disclosure
from worker.core.admission import Doubtful, Go
from worker.core.ask import Ask
from worker.core.delivery import Lane
from worker.core.disclosure import preceded
from worker.core.ending import event_of
from worker.core.kind import Bucket
from worker.core.outcome import Completed, Postponed, Wait
from worker.core.progress import Progress
from worker.core.rate_limit import Limit
from worker.core.request import SendRequest
from worker.core.secret import Secret
from worker.core.send_result import Sent

pytestmark = pytest.mark.asyncio(loop_scope="session")

LAPSE_S = 3600.0
TELLS = Disclosure("You are talking to our bot.", after_s=LAPSE_S)
DISCLOSING = Account(ACCOUNT, Secret("t"), disclosure=TELLS)
IMAGE = {"attachment": {"type": "image", "payload": {"url": "https://x.test/1.jpg"}}}


async def granted(
    gate: World, request: SendRequest, account: Account = DISCLOSING, **known: Any
) -> Progress:
    answer = await gate.admit(request, account, **known)
    assert isinstance(answer, Go)
    return answer.progress


async def say(gate: World, request: SendRequest, account: Account = DISCLOSING) -> bool:
    """Send all parts of the request; tell whether a disclosure went first."""
    progress = await granted(gate, request, account)
    whole = preceded(request, account, progress)
    while True:
        progress = progress.with_part(Sent(f"mid-{request.id}-{len(progress.sent)}", "p"))
        if len(progress.sent) == len(whole.parts):
            break
        answer = await gate.gate.advance(Ask(whole, account, progress, Lane.INTERACTIVE))
        assert isinstance(answer, Go)
        progress = answer.progress
    outcome = Completed(progress.with_attempt(), gate.clock.now())
    event = event_of(outcome, request.identity, finished_at=gate.clock.now())
    await gate.gate.conclude(request, outcome, event, account=account)
    await gate.gate.settled(request)
    return progress.disclosure is not None


def to(person: str, number: int, **fields: Any) -> SendRequest:
    return a_request(id=f"{person}-{number}", recipient={"id": person}, **fields)


async def test_it_goes_before_the_first_message_and_before_no_other(gate: World) -> None:
    assert [await say(gate, to("ann", number)) for number in range(3)] == [True, False, False]
    assert await say(gate, to("bob", 1))


async def test_it_goes_again_after_a_lapse_in_which_nothing_was_sent(gate: World) -> None:
    assert await say(gate, to("ann", 1))
    gate.clock.time += LAPSE_S - 1
    assert not await say(gate, to("ann", 2))
    gate.clock.time += LAPSE_S - 1
    assert not await say(gate, to("ann", 3))
    gate.clock.time += LAPSE_S + 1
    assert await say(gate, to("ann", 4))


async def test_it_goes_when_the_conversation_passes_from_a_person_to_the_automation(
    gate: World,
) -> None:
    authors = ["human", "automation", "automation", "human", "human", "automation"]
    told = [await say(gate, to("ann", n, author=author)) for n, author in enumerate(authors)]
    assert told == [False, True, False, False, False, True]


@pytest.mark.parametrize(
    "fields",
    [
        {"sender_action": "typing_on", "message": None},
        {"sender_action": "mark_seen", "message": None},
    ],
)
async def test_actions_are_no_messages(gate: World, fields: dict[str, Any]) -> None:
    assert not await say(gate, to("ann", 1, **fields))
    assert await say(gate, to("ann", 2))


async def test_nothing_goes_before_a_private_reply(gate: World) -> None:
    assert not await say(gate, a_request(recipient={"comment_id": "179"}))


async def test_other_accounts_tell_nothing(gate: World) -> None:
    silent = Account(ACCOUNT, Secret("t"))
    assert not await say(gate, to("ann", 1), silent)
    assert await say(gate, to("ann", 2)), "what was sent before it was wanted does not count"


async def test_it_counts_against_the_limit_of_texts_whatever_follows(gate: World) -> None:
    slow = {Bucket.TEXT: Limit(1, 3600.0), Bucket.MEDIA: Limit(100, 1.0)}
    account = Account(ACCOUNT, Secret("t"), limits=slow, disclosure=TELLS)
    progress = await granted(gate, to("ann", 1, message=IMAGE), account)
    assert progress.disclosure is not None
    answer = await gate.admit(to("bob", 1, message=IMAGE), account)
    assert not isinstance(answer, Go), "no text is left for the disclosure"
    assert isinstance(await gate.admit(to("cat", 1, message=IMAGE, author="human"), account), Go)


async def test_what_was_not_sent_is_decided_anew(gate: World) -> None:
    request = to("ann", 1)
    progress = await granted(gate, request)
    later = gate.clock.now() + 1.0
    await gate.gate.conclude(request, Postponed(later, Wait.COOLDOWN, progress), None)
    gate.clock.time = later
    carried = progress._replace(is_republished=True)
    assert (await granted(gate, request, progress=carried)).disclosure == progress.disclosure
    silent = Account(ACCOUNT, Secret("t"))
    await gate.gate.conclude(request, Postponed(later, Wait.COOLDOWN, progress), None)
    assert (await granted(gate, request, silent, progress=carried)).disclosure is None


async def test_it_is_not_told_again_when_the_request_goes_on_behind_it(gate: World) -> None:
    request = to("ann", 1, message=IMAGE)
    progress = (await granted(gate, request)).with_part(Sent("mid-told", "p"))
    whole = preceded(request, DISCLOSING, progress)
    await gate.gate.advance(Ask(whole, DISCLOSING, progress, Lane.INTERACTIVE))
    later = gate.clock.now() + 1.0
    parked = Postponed(later, Wait.COOLDOWN, progress)
    await gate.gate.conclude(whole, parked, None, account=DISCLOSING)
    gate.clock.time = later
    for known in (Progress(), progress._replace(is_republished=True)):
        carried = preceded(request, DISCLOSING, known) if known.sent else request
        resumed = await granted(gate, carried, progress=known)
        assert (resumed.sent, resumed.own_sent) == (("mid-told",), ())
        assert resumed.disclosure_id == "mid-told"
        await gate.gate.conclude(whole, parked, None, account=DISCLOSING)


async def test_doubt_says_whether_it_is_about_the_disclosure(gate: World) -> None:
    request = to("ann", 1)
    progress = await granted(gate, request)
    gate.clock.time += 31.0
    answer = await gate.admit(request, DISCLOSING)
    assert isinstance(answer, Doubtful)
    assert (answer.progress.sent, answer.progress.disclosure) == ((), progress.disclosure)
    doubtful = Postponed(gate.clock.now(), Wait.VERIFY, answer.progress)
    await gate.gate.conclude(request, doubtful, None, account=DISCLOSING)
    again = await gate.admit(request, DISCLOSING)
    assert isinstance(again, Doubtful)
    assert again.progress.disclosure == progress.disclosure


async def test_doubt_about_an_own_part_says_nothing_of_a_disclosure(gate: World) -> None:
    assert await say(gate, to("ann", 1))
    request = to("ann", 2)
    assert (await granted(gate, request)).disclosure is None
    gate.clock.time += 31.0
    answer = await gate.admit(request, DISCLOSING)
    assert isinstance(answer, Doubtful)
    assert answer.progress.disclosure is None
