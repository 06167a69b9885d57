"""Looks at the files of a request before the API is called, for accounts that want it.

A wrong file then ends as `invalid` at once, and not as a failure of a call of 75 seconds.
"""

import asyncio

from worker.contract.decode import decode
from worker.core.kind import is_fetched_by_meta
from worker.core.media_rules import media_in
from worker.core.outcome import Dead
from worker.core.problem import Problem
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.pipeline.in_flight import Attempt
from worker.ports import MediaFiles


class MediaCheck:
    """Everything that is wrong with the files of a request, each with the pointer of its URL."""

    def __init__(self, files: MediaFiles) -> None:
        self._files = files

    async def __call__(self, attempt: Attempt) -> tuple[Problem, ...]:
        # Decoded again, for the pointers: parts that were split are not where the sender wrote
        # them.
        document = decode(attempt.delivery.body)
        assert not isinstance(document, list), "it was read before"
        media = list(media_in(document))
        objections = await asyncio.gather(
            *(self._files.objection(one.type, one.url) for one in media)
        )
        return tuple(
            Problem(one.pointer, said)
            for one, said in zip(media, objections, strict=True)
            if said is not None
        )


def is_due(attempt: Attempt) -> bool:
    """Whether the account wants it, there is a file, and the API was not called with it yet."""
    return (
        attempt.account is not None
        and attempt.account.check_media
        and is_untouched(attempt.progress)
        and any(is_fetched_by_meta(part.kind) for part in attempt.request.parts)
    )


def is_untouched(progress: Progress) -> bool:
    """True before the first call: after it Meta is the judge, and some parts may have gone."""
    return not progress.sent and not progress.attempts and not progress.is_doubtful


def refused(problems: tuple[Problem, ...], progress: Progress) -> Dead:
    """Give up a request with files that Meta would not take."""
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return Dead(
        Reason.INVALID, f"{first.pointer}: {first.message}{more}", progress, problems=problems
    )
