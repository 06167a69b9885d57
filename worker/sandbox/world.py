"""What the sandbox knows of people, comments, posts and messages, and the rules that hang on it.

Lenient by default: what was never registered exists and is fresh. What is registered is always
checked. Bounded: of each sort the least recently touched entries are forgotten beyond `keep`.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Generic, TypeVar

from worker.sandbox.refusal import GraphRefusal
from worker.sandbox.send_call import SendCall

STANDARD_WINDOW_S = 24 * 3600.0
LONG_WINDOW_S = 7 * 24 * 3600.0

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class Recent(Generic[KeyT, ValueT]):
    """A mapping that keeps the `most` entries written last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: OrderedDict[KeyT, ValueT] = OrderedDict()

    def get(self, key: KeyT) -> ValueT | None:
        return self._entries.get(key)

    def put(self, key: KeyT, value: ValueT) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        self._entries.clear()

    def __contains__(self, key: KeyT) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on the account's post. `live_until` is when a broadcast ended, if it did."""

    account_id: str
    user_id: str
    at: float
    is_live: bool = False
    live_until: float | None = None
    is_answered: bool = False


class World:
    """Registers facts and judges calls by them. Times are unix seconds."""

    def __init__(self, *, keep: int = 100_000) -> None:
        # Per (account, person): when the person last wrote; None for one that never did.
        self._people: Recent[tuple[str, str], float | None] = Recent(keep)
        self._comments: Recent[str, Comment] = Recent(keep)
        self._posts: Recent[str, str] = Recent(keep)
        self._messages: Recent[str, tuple[str, str]] = Recent(keep)

    def person_wrote(self, account_id: str, user_id: str, *, message_id: str, at: float) -> None:
        """Open or prolong the window; an older message than the last one does not shorten it."""
        before = self._people.get((account_id, user_id))
        self._people.put((account_id, user_id), at if before is None else max(at, before))
        self._messages.put(message_id, (account_id, user_id))

    def comment_appeared(self, comment_id: str, comment: Comment) -> None:
        """Register a comment; its writer becomes known, without an open window.

        One that was answered stays answered, however often it is registered.
        """
        before = self._comments.get(comment_id)
        was_answered = before is not None and before.is_answered
        self._comments.put(
            comment_id, replace(comment, is_answered=comment.is_answered or was_answered)
        )
        person = (comment.account_id, comment.user_id)
        self._people.put(person, self._people.get(person))

    def post_published(self, account_id: str, post_id: str) -> None:
        """Register a post as the account's own."""
        self._posts.put(post_id, account_id)

    def forget(self) -> None:
        """Drop everything registered."""
        for each in (self._people, self._comments, self._posts, self._messages):
            each.clear()

    def sizes(self) -> dict[str, int]:
        """Count what is registered of each sort."""
        return {
            "people": len(self._people),
            "comments": len(self._comments),
            "posts": len(self._posts),
            "messages": len(self._messages),
        }

    def recipient_of(self, call: SendCall) -> str:
        """Name the person: for a private reply this is how the sender learns the id."""
        if call.recipient_id is not None:
            return call.recipient_id
        comment = self._comments.get(call.comment_id or "")
        return comment.user_id if comment else _commenter(call)

    def judge(self, call: SendCall, *, now: float, strict: bool, human_agent: bool) -> None:
        """Refuse what the conversation's state forbids; raises GraphRefusal."""
        if call.is_tagged and not human_agent:
            raise GraphRefusal(100, 2018276)
        if call.comment_id is not None:
            self._judge_comment(call, now=now, strict=strict)
            return
        self._judge_window(call, now=now, strict=strict)
        if call.post_id is not None:
            owner = self._posts.get(call.post_id)
            if owner != call.account_id and (owner is not None or strict):
                raise GraphRefusal(100, 33, detail="the post is not the account's own")
        if call.target_message_id is not None:
            conversation = self._messages.get(call.target_message_id)
            here = (call.account_id, call.recipient_id)
            if conversation != here and (conversation is not None or strict):
                raise GraphRefusal(9000001)

    def accept(self, call: SendCall, *, message_id: str | None, now: float) -> None:
        """Remember what an accepted call changes: the answered comment, the new message."""
        recipient_id = self.recipient_of(call)
        if message_id is not None:
            self._messages.put(message_id, (call.account_id, recipient_id))
        if call.comment_id is None:
            return
        comment = self._comments.get(call.comment_id) or Comment(call.account_id, recipient_id, now)
        self._comments.put(call.comment_id, replace(comment, is_answered=True))

    def _judge_window(self, call: SendCall, *, now: float, strict: bool) -> None:
        person = (call.account_id, call.recipient_id or "")
        if person not in self._people:
            if strict:
                raise GraphRefusal(100, 2534014)
            return
        wrote_at = self._people.get(person)
        length_s = LONG_WINDOW_S if call.is_tagged else STANDARD_WINDOW_S
        if wrote_at is None or now - wrote_at > length_s:
            raise GraphRefusal(10, 2534022, status=403)

    def _judge_comment(self, call: SendCall, *, now: float, strict: bool) -> None:
        comment = self._comments.get(call.comment_id or "")
        if comment is None:
            if strict:
                raise GraphRefusal(100, 2534025)
            return
        if comment.is_live:
            is_over = comment.live_until is not None and now > comment.live_until
        else:
            is_over = now - comment.at > LONG_WINDOW_S
        if comment.is_answered or is_over or comment.account_id != call.account_id:
            raise GraphRefusal(100, 2534025)


def _commenter(call: SendCall) -> str:
    """Invent the person behind a comment nobody registered: the same one every time."""
    digest = sha256(f"{call.account_id}/{call.comment_id}".encode()).digest()
    return str(10**15 + int.from_bytes(digest[:6]))
