"""What every gate does with a dead letter that was put back: it runs once, whatever happens."""

import pytest

from tests.gate.world import ERROR, OPEN, World, a_request
from tests.support.pipeline import ACCOUNT
from worker.core.account import Account
from worker.core.admission import Admission, Concluded, Doubtful, Go, NotYet
from worker.core.ending import event_of
from worker.core.kind import Bucket
from worker.core.outcome import Dead, Wait
from worker.core.outcome_event import Status
from worker.core.progress import Progress, progress_from, rfc3339
from worker.core.rate_limit import Limit
from worker.core.reason import Reason
from worker.core.replay import Doubt, Replay
from worker.core.request import SendRequest
from worker.core.secret import Secret
from worker.core.send_result import Scope, Throttled

pytestmark = pytest.mark.asyncio(loop_scope="session")

SLOW = Account(ACCOUNT, Secret("IGAAone"), limits={Bucket.TEXT: Limit(1, 60.0)})


def put_back(
    reason: Reason = Reason.REJECTED,
    *,
    batch: str = "first",
    count: int = 1,
    doubt: Doubt | None = None,
    since: float | None = None,
) -> Progress:
    return Progress(
        is_republished=True,
        returned_from=reason.value,
        unknown_since=since,
        replay=Replay(batch, count, "ada", doubt=doubt),
    )


def parked(progress: Progress) -> Progress:
    """Give what the parked copy says when it comes back."""
    read = progress_from(progress.headers())
    assert isinstance(read, Progress)
    return read


async def died(
    gate: World,
    request: SendRequest,
    reason: Reason = Reason.REJECTED,
    progress: Progress | None = None,
) -> None:
    """Let a request that is in hand die."""
    outcome = Dead(reason, "no", progress or Progress(1))
    event = event_of(outcome, request.identity, finished_at=gate.clock.now())
    await gate.gate.conclude(request, outcome, event)
    await gate.gate.settled(request)


async def failed_once(gate: World, request: SendRequest, reason: Reason = Reason.REJECTED) -> None:
    assert isinstance(await gate.admit(request), Go)
    await died(gate, request, reason)


def is_a_duplicate_that_failed(answer: Admission) -> bool:
    return isinstance(answer, Concluded) and answer.event.status is not Status.SENT


@pytest.mark.parametrize("what", ["not before", "turn", "cooldown", "rate"])
async def test_replay_that_has_to_wait_is_still_sent(gate: World, what: str) -> None:
    opens = gate.clock.now() + 100
    request = a_request(not_before=rfc3339(opens)) if what == "not before" else a_request()
    account = SLOW if what == "rate" else OPEN
    gate.clock.time = opens + 1
    await failed_once(gate, request)
    head = a_request(id="head", recipient={"id": "6789012345" if what == "turn" else "else"})
    if what == "not before":
        gate.clock.time = opens - 1
    else:
        assert isinstance(await gate.admit(head, account), Go)
    if what == "turn":
        await gate.park(head, gate.clock.now() + 10, progress=Progress(1))
    if what == "cooldown":
        await gate.close(head, Throttled(Scope.ACCOUNT, ERROR, retry_after_s=60.0))
        await gate.finish(head)
    waits = await gate.admit(request, account, progress=put_back())
    assert isinstance(waits, NotYet)
    assert waits.why.value == what.replace(" ", "_")
    gate.clock.time = waits.until + 61
    if what == "turn":
        await gate.finish(head)
    answer = await gate.admit(request, account, progress=parked(put_back()))
    assert isinstance(answer, Go)
    assert answer.progress.replay == Replay("first", 1, "ada")


async def test_replay_that_waited_for_the_gate_itself_is_still_sent(gate: World) -> None:
    """While Redis was away nobody could note that the request runs again."""
    request = a_request()
    await failed_once(gate, request)
    assert isinstance(await gate.admit(request, progress=parked(put_back())), Go)


async def test_letter_put_back_before_its_burial_was_noted_runs_again(gate: World) -> None:
    """The worker that buried it died before it could say that it had; the letter is the proof."""
    request = a_request()
    assert isinstance(await gate.admit(request), Go)
    outcome = Dead(Reason.REJECTED, "no", Progress(1))
    event = event_of(outcome, request.identity, finished_at=gate.clock.now())
    await gate.gate.conclude(request, outcome, event)
    progress = put_back()
    answer = await gate.admit(request, progress=progress)
    while isinstance(answer, NotYet):
        assert answer.why is Wait.ELSEWHERE
        gate.clock.time = answer.until
        progress = parked(progress)
        answer = await gate.admit(request, progress=progress)
    assert isinstance(answer, Go)


async def test_copy_that_comes_while_the_first_is_parked_is_sent_once(gate: World) -> None:
    request = a_request()
    await failed_once(gate, request)
    assert isinstance(await gate.admit(a_request(id="o", recipient={"id": "o"}), SLOW), Go)
    first, second = put_back(batch="killed"), put_back(batch="again")
    waits = await gate.admit(request, SLOW, progress=first)
    assert isinstance(waits, NotYet)
    gate.clock.time += 70
    assert isinstance(await gate.admit(request, SLOW, progress=second), Go)
    await gate.finish(request)
    answer = await gate.admit(request, progress=parked(first))
    assert isinstance(answer, Concluded)
    assert answer.event.status is Status.SENT


async def test_copy_that_comes_after_the_first_was_sent_is_a_duplicate(gate: World) -> None:
    request = a_request()
    await failed_once(gate, request)
    assert isinstance(await gate.admit(request, progress=put_back(batch="killed")), Go)
    await gate.finish(request)
    for copy in (put_back(batch="killed"), put_back(batch="again"), put_back(count=2)):
        answer = await gate.admit(request, progress=copy)
        assert isinstance(answer, Concluded)
        assert answer.event.message_ids == ("m",)


async def test_copy_of_the_very_replay_that_failed_makes_no_second_letter(gate: World) -> None:
    request = a_request()
    await failed_once(gate, request)
    answer = await gate.admit(request, progress=put_back())
    assert isinstance(answer, Go)
    await died(gate, request, progress=answer.progress)
    assert is_a_duplicate_that_failed(await gate.admit(request, progress=put_back()))
    assert is_a_duplicate_that_failed(await gate.admit(request, progress=parked(put_back())))
    assert isinstance(await gate.admit(request, progress=put_back(count=2)), Go)


async def test_parts_that_the_ledger_knows_of_do_not_hide_who_put_it_back(gate: World) -> None:
    request = a_request()
    assert isinstance(await gate.admit(request, progress=put_back(batch="killed")), Go)
    tried = Progress(2, replay=Replay("killed", 1, "ada"))
    await gate.park(request, gate.clock.now() + 5, progress=tried)
    answer = await gate.admit(request, progress=put_back(batch="again"))
    assert isinstance(answer, Go)
    assert answer.progress.attempts == 2
    assert answer.progress.replay == Replay("again", 1, "ada")


@pytest.mark.parametrize("on_unknown", ["verify", "hold", "resend"])
@pytest.mark.parametrize("doubt", [None, Doubt.VERIFY])
async def test_unconfirmed_letter_stays_in_doubt_unless_it_is_forced(
    gate: World, on_unknown: str, doubt: Doubt | None
) -> None:
    request = a_request(on_unknown=on_unknown)
    await failed_once(gate, request, Reason.UNCONFIRMED)
    since = gate.clock.now() - 100
    back = put_back(Reason.UNCONFIRMED, doubt=doubt, since=since)
    answer = await gate.admit(request, progress=back)
    assert isinstance(answer, Doubtful)
    assert answer.progress.unknown_since == pytest.approx(since, abs=0.001)
    assert answer.progress.is_to_be_looked_for is (doubt is Doubt.VERIFY)
    # It comes back for the second look, and is in doubt as before.
    checked = answer.progress.with_check()
    await gate.park(request, gate.clock.now() + 1, Wait.VERIFY, checked)
    gate.clock.time += 1
    answer = await gate.admit(request, progress=parked(checked))
    assert isinstance(answer, Doubtful)
    assert answer.progress.checks == 1


async def test_forced_letter_goes_and_is_forced_no_longer(gate: World) -> None:
    request = a_request()
    await failed_once(gate, request, Reason.UNCONFIRMED)
    since = gate.clock.now() - 100
    answer = await gate.admit(
        request, progress=put_back(Reason.UNCONFIRMED, doubt=Doubt.RESEND, since=since)
    )
    assert isinstance(answer, Go)
    assert answer.progress.unknown_since is None
    assert not answer.progress.is_forced
    doubt_again = answer.progress.in_doubt_since(gate.clock.now())
    await gate.park(request, gate.clock.now() + 5, Wait.VERIFY, doubt_again)
    assert isinstance(await gate.admit(request, progress=parked(doubt_again)), Doubtful)


async def test_forced_letter_that_had_to_wait_is_still_forced(gate: World) -> None:
    request = a_request()
    await failed_once(gate, request, Reason.UNCONFIRMED)
    assert isinstance(await gate.admit(a_request(id="o", recipient={"id": "o"}), SLOW), Go)
    forced = put_back(Reason.UNCONFIRMED, doubt=Doubt.RESEND, since=gate.clock.now() - 100)
    waits = await gate.admit(request, SLOW, progress=forced)
    assert isinstance(waits, NotYet)
    gate.clock.time = waits.until + 60
    assert isinstance(await gate.admit(request, SLOW, progress=parked(forced)), Go)


async def test_second_copy_of_a_forced_letter_does_not_force_away_new_doubt(gate: World) -> None:
    """Tool killed between publish and ack, then run again: the operator saw the old doubt only."""
    request = a_request(on_unknown="hold")
    await failed_once(gate, request, Reason.UNCONFIRMED)
    since = gate.clock.now() - 100
    first = put_back(Reason.UNCONFIRMED, batch="killed", doubt=Doubt.RESEND, since=since)
    answer = await gate.admit(request, progress=first)
    assert isinstance(answer, Go)
    held = answer.progress.in_doubt_since(gate.clock.now())
    await died(gate, request, Reason.UNCONFIRMED, held)
    second = first._replace(replay=Replay("again", 1, "ada", doubt=Doubt.RESEND))
    answer = await gate.admit(request, progress=second)
    assert isinstance(answer, Doubtful)
    assert not answer.progress.is_forced
    await died(gate, request, Reason.UNCONFIRMED, answer.progress)
    looked = first._replace(replay=Replay("looked", 2, "ada", doubt=Doubt.RESEND))
    assert isinstance(await gate.admit(request, progress=looked), Go)


async def test_doubt_in_the_ledger_is_not_forced_away(gate: World) -> None:
    request = a_request(on_unknown="hold")
    forced = put_back(Reason.UNCONFIRMED, doubt=Doubt.RESEND, since=gate.clock.now() - 100)
    assert isinstance(await gate.admit(request, progress=forced), Go)
    began = gate.clock.now()
    doubtful = Progress(1, unknown_since=began, replay=Replay("first", 1, "ada"))
    await gate.park(request, began + 5, Wait.VERIFY, doubtful)
    gate.clock.time += 5
    answer = await gate.admit(request, progress=forced)
    assert isinstance(answer, Doubtful)
    assert answer.progress.unknown_since == pytest.approx(began, abs=0.001)
