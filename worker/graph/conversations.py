"""Asks the Conversations API for the newest messages between an account and a person.

Meta allows it two calls per second and account, so it is for doubtful sends only.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from worker.core.account import Account
from worker.core.graph_reply import Reply, result_of
from worker.core.send_result import GraphError, NotSent, Refused, Sent, Throttled, Unknown
from worker.core.verification import Listed, Listing, Unlisted
from worker.graph.client import GraphClient
from worker.graph.listing import conversations_in, messages_in

Permit = Callable[[], Awaitable[None]]

# Only so many of the newest messages have details; of older ones the API tells the id alone.
NEWEST = 20
# Asked for instead when the API finds the page too large.
FEWER = 5
CONVERSATIONS_KEPT = 10_000

_FIELDS = "id,created_time,from,to,message,attachments"
# "Unknown error", and also "reduce the amount of data", which only the localised text tells.
_TOO_MUCH = 1
# What is refused for the token is refused to sends too; a permission to read is another matter.
_TOKEN_CODES = frozenset({102, 104, 190})
_UNREADABLE = "the API's answer about the conversation is not one it documents"


class Conversations:
    """Reads over the client's session; the ids of conversations are remembered, bounded."""

    def __init__(self, graph: GraphClient, *, keep: int = CONVERSATIONS_KEPT) -> None:
        self._graph = graph
        self._keep = keep
        self._ids: OrderedDict[tuple[str, str], str] = OrderedDict()

    async def recent(self, account: Account, user_id: str, *, permit: Permit) -> Listing:
        """List the newest messages with the person `user_id`, in at most three calls.

        `permit` is awaited before each call; what it raises comes through. A conversation that
        the API does not know has no messages.
        """
        reading = _Reading(self._graph, account, permit)
        key = account.id, user_id
        conversation = self._ids.get(key) or await _find(reading, user_id)
        if conversation is None:
            return Listed((), reading.calls)
        if isinstance(conversation, Unlisted):
            return conversation
        self._remember(key, conversation)
        listing = await _list(reading, conversation, NEWEST)
        if isinstance(listing, Unlisted) and listing.error.code == _TOO_MUCH:
            listing = await _list(reading, conversation, FEWER)
        if isinstance(listing, Unlisted) and listing.closes is None:
            # Perhaps for the id, which then is looked up afresh next time.
            self._ids.pop(key, None)
        return listing

    def _remember(self, key: tuple[str, str], conversation: str) -> None:
        self._ids[key] = conversation
        self._ids.move_to_end(key)
        if len(self._ids) > self._keep:
            self._ids.popitem(last=False)


@dataclass(slots=True)
class _Reading:
    """The calls of one question, counted as they go."""

    graph: GraphClient
    account: Account
    permit: Permit
    calls: int = 0

    async def get(self, path: str, query: Mapping[str, str]) -> Reply | GraphError:
        await self.permit()
        self.calls += 1
        return await self.graph.read(self.account, path, query)


async def _find(reading: _Reading, user_id: str) -> str | Unlisted | None:
    query = {"platform": "instagram", "user_id": user_id}
    reply = await reading.get(f"{reading.account.id}/conversations", query)
    found = conversations_in(_document(reply))
    if found is None:
        return _unlisted(reply, reading.calls)
    return found[0] if found else None


async def _list(reading: _Reading, conversation: str, limit: int) -> Listing:
    fields = f"messages.limit({limit}){{{_FIELDS}}}"
    reply = await reading.get(conversation, {"fields": fields})
    messages = messages_in(_document(reply))
    if messages is None:
        return _unlisted(reply, reading.calls)
    return Listed(messages, reading.calls, has_older=len(messages) >= limit)


def _document(reply: Reply | GraphError) -> object:
    """Give the body of a success; an error may come with a 200 too."""
    if isinstance(reply, GraphError) or reply.http_status != 200:
        return None
    has_error = isinstance(reply.body, Mapping) and "error" in reply.body
    return None if has_error else reply.body


def _unlisted(reply: Reply | GraphError, calls: int) -> Unlisted:
    """Classify as for a send; what there is about the message alone only says "not listed"."""
    if isinstance(reply, GraphError):
        return Unlisted(reply, calls)
    match result_of(reply, needs_message_id=True):
        case Throttled() as throttled:
            return Unlisted(throttled.error, calls, closes=throttled)
        case Refused() as refused if refused.error.code in _TOKEN_CODES:
            return Unlisted(refused.error, calls, closes=refused)
        case Sent():
            return Unlisted(GraphError(_UNREADABLE, http_status=reply.http_status), calls)
        case Refused(error=error) | NotSent(error=error) | Unknown(error=error):
            is_named = error.code is not None
            return Unlisted(error if is_named else replace(error, meaning=_UNREADABLE), calls)
