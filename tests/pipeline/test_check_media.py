"""A wrong file ends its request as invalid before the API is called, for accounts that want it."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.support.pipeline import ACCOUNT, Pipeline, a_delivery
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.pipeline.check_media import MediaCheck

GOOD, BAD = "https://files.example/a.png", "https://files.example/a.webp"
POINTER = "/message/attachment/payload/url"


@dataclass
class FakeFiles:
    """Objects to BAD; `asked` are the URLs it was asked about."""

    asked: list[str] = field(default_factory=list)

    async def objection(self, kind: str, url: str) -> str | None:
        self.asked.append(url)
        return f"no {kind}" if url == BAD else None


def a_pipeline(*, wants: bool = True) -> tuple[Pipeline, FakeFiles]:
    files = FakeFiles()
    pipeline = Pipeline(media=MediaCheck(files))
    account = pipeline.accounts.known[ACCOUNT]
    pipeline.accounts.known[ACCOUNT] = replace(account, check_media=wants)
    return pipeline, files


def image(url: str) -> dict[str, Any]:
    return {"attachment": {"type": "image", "payload": {"url": url}}}


async def test_wrong_file_is_invalid_with_its_pointer_and_no_call() -> None:
    pipeline, _ = a_pipeline()
    await pipeline(a_delivery(message=image(BAD)))
    (_, dead, _), *others = pipeline.publisher.buried
    assert not others
    assert dead.reason is Reason.INVALID
    assert [(p.pointer, p.message) for p in dead.problems] == [(POINTER, "no image")]
    assert dead.detail == f"{POINTER}: no image"
    assert pipeline.graph.sent == []


async def test_every_wrong_file_is_named() -> None:
    pipeline, _ = a_pipeline()
    messages = [{"text": "Look"}, image(BAD), image(GOOD), image(BAD)]
    await pipeline(a_delivery(message=None, messages=messages))
    (_, dead, _), *_ = pipeline.publisher.buried
    assert [p.pointer for p in dead.problems] == [
        f"/messages/{index}/attachment/payload/url" for index in (1, 3)
    ]
    assert dead.detail.endswith("(and 1 more)")
    assert pipeline.graph.sent == []


async def test_good_file_is_sent() -> None:
    pipeline, files = a_pipeline()
    await pipeline(a_delivery(message=image(GOOD)))
    assert files.asked == [GOOD]
    assert len(pipeline.graph.sent) == 1


async def test_conversation_goes_on_after_a_wrong_file() -> None:
    pipeline, _ = a_pipeline()
    await pipeline(a_delivery(id="wrong", message=image(BAD)))
    await pipeline(a_delivery(id="right", message=image(GOOD)))
    assert len(pipeline.graph.sent) == 1
    assert pipeline.publisher.parked == []


async def test_repeated_request_is_answered_with_the_first_outcome() -> None:
    pipeline, _ = a_pipeline()
    await pipeline(a_delivery(message=image(BAD)))
    await pipeline(a_delivery(message=image(BAD)))
    assert len(pipeline.publisher.buried) == 1
    assert len(pipeline.publisher.announced) == 2


async def test_file_that_went_wrong_after_it_was_sent_changes_nothing() -> None:
    pipeline, files = a_pipeline()
    await pipeline(a_delivery(message=image(GOOD)))

    async def objects(kind: str, url: str) -> str:
        return "it is gone by now"

    files.objection = objects  # type: ignore[method-assign]  # the file is another now
    await pipeline(a_delivery(message=image(GOOD), redelivered=True))
    assert pipeline.publisher.buried == []
    assert len(pipeline.graph.sent) == 1


@pytest.mark.parametrize(
    "progress", [Progress(attempts=1, is_republished=True), Progress(sent=("m",))]
)
async def test_files_are_not_looked_at_after_the_first_call(progress: Progress) -> None:
    pipeline, files = a_pipeline()
    messages = [{"text": "Look"}, image(BAD)]
    await pipeline(a_delivery(message=None, messages=messages, progress=progress))
    assert files.asked == []


async def test_account_that_does_not_want_it_and_text_are_not_checked() -> None:
    pipeline, files = a_pipeline(wants=False)
    await pipeline(a_delivery(message=image(BAD)))
    wanting, others = a_pipeline()
    await wanting(a_delivery())
    assert files.asked == others.asked == []
    assert len(pipeline.graph.sent) == len(wanting.graph.sent) == 1


async def test_letter_that_is_put_back_is_looked_at_again() -> None:
    pipeline, files = a_pipeline()
    await pipeline(a_delivery(message=image(BAD)))

    async def mended(kind: str, url: str) -> None:
        return None

    files.objection = mended  # type: ignore[method-assign]  # the file was mended meanwhile
    put_back = Progress(returned_from="invalid", is_republished=True)
    await pipeline(a_delivery(message=image(BAD), progress=put_back))
    assert len(pipeline.graph.sent) == 1
