"""Who wrote last in a conversation, for accounts that disclose their automation."""

from collections import OrderedDict

from worker.core.account import Account
from worker.core.disclosure import lapse_of
from worker.core.request import Author, SendRequest

MOST_CONVERSATIONS = 50_000


class Authors:
    """Bounded: the conversations that were quiet longest are forgotten first."""

    def __init__(self) -> None:
        self._last: OrderedDict[tuple[str, str], tuple[Author, float]] = OrderedDict()

    def note(self, request: SendRequest, account: Account | None, *, now: float) -> None:
        """Note that a part of the request went, if that matters to its account."""
        lapse_s = lapse_of(request, account)
        if lapse_s is None:
            return
        self._last[request.conversation] = (request.author, now + lapse_s)
        self._last.move_to_end(request.conversation)
        if len(self._last) > MOST_CONVERSATIONS:
            self._last.popitem(last=False)

    def last(self, request: SendRequest, *, now: float) -> Author | None:
        """Say who wrote last in the conversation; None when that is too long ago."""
        author, until = self._last.get(request.conversation, (None, 0.0))
        return author if now < until else None
