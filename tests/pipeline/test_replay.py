"""A dead letter that was put back: sent once, announced by name, and never resent by a look."""

import asyncio
from typing import Any

import pytest

from tests.support.builders import an_error
from tests.support.fakes import START
from tests.support.pipeline import ACCOUNT, Pipeline, a_delivery
from tests.support.waiting import eventually
from worker.core.delivery import Delivery
from worker.core.outcome_event import Status
from worker.core.progress import Progress, progress_from
from worker.core.reason import Reason
from worker.core.replay import Doubt, Replay
from worker.core.send_result import NotSent, Refused, Scope, Unknown
from worker.core.verification import Listed, ListedMessage

ERROR = an_error("no answer came")
TEXT = "Your order is on its way."
PARTS: dict[str, Any] = {"message": None, "messages": [{"text": TEXT}, {"text": "All well?"}]}
OLD = START - 3600


def put_back(
    reason: Reason = Reason.REJECTED,
    *,
    batch: str = "first",
    doubt: Doubt | None = None,
    reply_to: str | None = None,
    **fields: Any,
) -> Delivery:
    since = OLD if reason is Reason.UNCONFIRMED else None
    progress = Progress(
        is_republished=True,
        returned_from=reason.value,
        unknown_since=since,
        replay=Replay(batch, 1, "ada", doubt=doubt),
    )
    return a_delivery(progress=progress, reply_to=reply_to, **fields)


def told(pipeline: Pipeline) -> list[tuple[Status, str | None, bool]]:
    events = [event for event, _ in pipeline.publisher.announced]
    return [(e.status, e.replay.batch if e.replay else None, e.duplicate) for e in events]


async def failed_once(**fields: Any) -> Pipeline:
    pipeline = Pipeline()
    pipeline.graph.script = [Refused(Scope.MESSAGE, ERROR)]
    await pipeline(a_delivery(**fields))
    return pipeline


def as_it_comes_back(pipeline: Pipeline) -> Delivery:
    """Give the parked copy with what its headers say."""
    delivery = pipeline.come_back()
    progress = progress_from(delivery.known_progress.headers())
    return delivery._replace(progress=progress)


async def test_outcome_of_a_replay_names_it() -> None:
    pipeline = await failed_once()
    await pipeline(put_back())
    assert told(pipeline) == [(Status.FAILED, None, False), (Status.SENT, "first", False)]


async def test_letter_of_a_replay_that_fails_again_names_it() -> None:
    pipeline = await failed_once()
    pipeline.graph.script = [Refused(Scope.MESSAGE, ERROR)]
    await pipeline(put_back())
    (_, dead, _) = pipeline.publisher.buried[-1]
    assert dead.progress.replay == Replay("first", 1, "ada")


async def test_invalid_replay_is_announced_by_name() -> None:
    pipeline = Pipeline()
    await pipeline(put_back()._replace(body=b"{}"))
    assert told(pipeline) == [(Status.FAILED, "first", False)]


async def test_replay_of_what_was_sent_meanwhile_is_announced_by_its_own_name() -> None:
    pipeline = Pipeline()
    await pipeline(a_delivery())
    await pipeline(put_back(batch="one"))
    await pipeline(put_back(batch="two"))
    assert len(pipeline.graph.sent) == 1
    assert told(pipeline)[1:] == [(Status.SENT, "one", True), (Status.SENT, "two", True)]


async def test_duplicate_of_a_producer_tells_which_replay_sent_it() -> None:
    pipeline = await failed_once()
    await pipeline(put_back())
    await pipeline(a_delivery())
    assert told(pipeline)[-1] == (Status.SENT, "first", True)


async def test_copies_of_two_replays_in_hand_are_sent_once_and_each_is_announced() -> None:
    pipeline = await failed_once()
    pipeline.graph.called.clear()
    pipeline.graph.hold = asyncio.Event()
    sending = asyncio.create_task(pipeline(put_back(batch="killed")))
    await pipeline.graph.called.wait()
    await pipeline(put_back(batch="again"))
    pipeline.graph.hold.set()
    await sending
    assert len(pipeline.graph.sent) == 2
    assert told(pipeline)[1:] == [(Status.SENT, "killed", False), (Status.SENT, "again", True)]
    assert len(pipeline.receipts.acked) == 3


async def test_copies_of_two_replays_that_are_parked_together_keep_their_names() -> None:
    pipeline = await failed_once()
    pipeline.graph.called.clear()
    pipeline.graph.hold = asyncio.Event()
    pipeline.graph.script = [Unknown(ERROR)]
    sending = asyncio.create_task(pipeline(put_back(batch="killed")))
    await pipeline.graph.called.wait()
    await pipeline(put_back(batch="again"))
    pipeline.graph.hold.set()
    await sending
    replays = [progress.replay for _, progress, _ in pipeline.publisher.parked]
    assert sorted(replay.batch for replay in replays if replay) == ["again", "killed"]


async def test_replay_that_comes_while_its_twin_is_parked_keeps_its_name() -> None:
    pipeline = await failed_once()
    pipeline.graph.script = [NotSent(ERROR)]
    park = pipeline.publisher.park
    coming = [put_back(batch="again")]

    async def slowly(*arguments: Any, **named: Any) -> None:
        await park(*arguments, **named)
        if coming:
            await pipeline(coming.pop())

    pipeline.publisher.park = slowly  # type: ignore[method-assign]  # the moment under test
    await pipeline(put_back(batch="killed"))
    for index in (0, 1):
        await pipeline(pipeline.come_back(index))
    assert told(pipeline)[1:] == [(Status.SENT, "killed", False), (Status.SENT, "again", True)]
    assert len(pipeline.graph.sent) == 3


async def test_letter_that_is_put_back_before_its_burial_is_settled_runs_again() -> None:
    """The tool may be quicker than the worker: the letter must not be acked as the old attempt."""
    pipeline = Pipeline()
    pipeline.graph.script = [Refused(Scope.MESSAGE, ERROR)]
    letter = put_back()
    joining: list[asyncio.Task[None]] = []
    announce = pipeline.publisher.announce

    async def slowly(*arguments: Any) -> None:
        if not joining:
            joining.append(asyncio.create_task(pipeline(letter)))
            await eventually(joining[0].done)
        await announce(*arguments)

    pipeline.publisher.announce = slowly  # type: ignore[assignment]  # the moment under test
    await pipeline(a_delivery())
    assert pipeline.receipts.handed_back == [letter]
    await pipeline(letter._replace(redelivered=True))
    assert told(pipeline)[-1] == (Status.SENT, "first", False)


@pytest.mark.parametrize("on_unknown", ["verify", "hold", "resend"])
async def test_verified_letter_that_is_found_was_sent(on_unknown: str) -> None:
    pipeline = Pipeline()
    shown = ListedMessage("found", OLD + 1, ACCOUNT, TEXT)
    pipeline.conversations.listing = Listed((shown,), 1)
    await pipeline(put_back(Reason.UNCONFIRMED, doubt=Doubt.VERIFY, on_unknown=on_unknown))
    assert told(pipeline) == [(Status.SENT, "first", False)]
    assert not pipeline.graph.sent


async def test_verified_letter_goes_on_behind_the_part_that_was_found() -> None:
    pipeline = Pipeline()
    shown = ListedMessage("found", OLD + 1, ACCOUNT, TEXT)
    pipeline.conversations.listing = Listed((shown,), 1)
    await pipeline(put_back(Reason.UNCONFIRMED, doubt=Doubt.VERIFY, on_unknown="hold", **PARTS))
    assert pipeline.publisher.announced[0][0].message_ids == ("found", "mid-1")
    assert [part.body["message"]["text"] for _, part, _ in pipeline.graph.sent] == ["All well?"]


@pytest.mark.parametrize("on_unknown", ["verify", "hold", "resend"])
@pytest.mark.parametrize(
    "listing",
    [
        Listed((), 1),
        Listed((ListedMessage("later", START - 1, ACCOUNT, "Anything else?"),), 1, has_older=True),
        Listed((ListedMessage("blurred", START - 1),), 1),
    ],
    ids=["absent", "moved on", "without details"],
)
async def test_look_that_does_not_find_it_never_sends_it(on_unknown: str, listing: Listed) -> None:
    pipeline = Pipeline()
    pipeline.conversations.listing = listing
    await pipeline(put_back(Reason.UNCONFIRMED, doubt=Doubt.VERIFY, on_unknown=on_unknown))
    await pipeline(as_it_comes_back(pipeline))
    assert pipeline.conversations.asked == 2
    assert not pipeline.graph.sent
    (_, dead, _) = pipeline.publisher.buried[0]
    assert dead.reason is Reason.UNCONFIRMED
    assert dead.progress.unknown_since == OLD
    assert told(pipeline) == [(Status.HELD, "first", False)]


async def test_letter_without_the_moment_of_its_call_cannot_be_looked_for() -> None:
    pipeline = Pipeline()
    delivery = put_back(Reason.UNCONFIRMED, doubt=Doubt.VERIFY)
    unknown = delivery.known_progress._replace(unknown_since=None)
    await pipeline(delivery._replace(progress=unknown))
    assert pipeline.conversations.asked == 0
    assert pipeline.publisher.buried[0][1].reason is Reason.UNCONFIRMED


async def test_forced_letter_sends_the_part_in_doubt_and_not_those_that_went() -> None:
    pipeline = Pipeline()
    delivery = put_back(Reason.UNCONFIRMED, doubt=Doubt.RESEND, **PARTS)
    begun = delivery.known_progress._replace(sent=("mid-0",))
    await pipeline(delivery._replace(progress=begun))
    assert [part.body["message"]["text"] for _, part, _ in pipeline.graph.sent] == ["All well?"]
    assert pipeline.publisher.announced[0][0].message_ids == ("mid-0", "mid-1")


async def test_forced_letter_without_a_result_is_in_doubt_again() -> None:
    pipeline = Pipeline()
    pipeline.graph.script = [Unknown(ERROR)]
    await pipeline(put_back(Reason.UNCONFIRMED, doubt=Doubt.RESEND, on_unknown="hold"))
    await pipeline(put_back(Reason.UNCONFIRMED, doubt=Doubt.RESEND, on_unknown="hold", batch="2"))
    assert len(pipeline.graph.sent) == 1
    assert [dead.reason for _, dead, _ in pipeline.publisher.buried] == [Reason.UNCONFIRMED] * 2


async def test_only_an_operator_has_an_unconfirmed_letter_looked_for() -> None:
    pipeline = Pipeline()
    await pipeline(put_back(Reason.UNCONFIRMED, on_unknown="hold"))
    assert pipeline.conversations.asked == 0
    assert pipeline.publisher.buried[0][1].reason is Reason.UNCONFIRMED
