"""How far a request has come: attempts made, parts sent. Travels in our own message headers."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from worker.core.problem import Problem
from worker.core.reason import Reason
from worker.core.replay import Doubt, Replay, replay_from
from worker.core.send_result import Sent

PREFIX = "x-igsend-"
ATTEMPTS = PREFIX + "attempts"
FIRST_SEEN = PREFIX + "first-seen"
SENT_PARTS = PREFIX + "sent-parts"
RECIPIENT_ID = PREFIX + "recipient-id"
REASON = PREFIX + "reason"
MESSAGE_ID = PREFIX + "message-id"
UNKNOWN_SINCE = PREFIX + "unknown-since"
CHECKS = PREFIX + "checks"
MAY_HAVE_GONE = PREFIX + "may-have-gone"
DISCLOSURE = PREFIX + "disclosure"
RETURNED_FROM = PREFIX + "returned-from"

# More parts than a request may have, more attempts than any policy allows, times that no worker
# has seen: not ours.
_LONGEST_DIGEST = 16
_LONGEST_PARTS_TEXT = 65_536
_MOST_PARTS = 10
_MOST_ATTEMPTS = 1_000_000
_YEARS = range(2000, 2100)


class Progress(NamedTuple):
    """What is known of a request besides its body.

    `sent` holds the message id of each part that went, in order; None for an action or a
    reaction. With `disclosure` (the digest of a text) the first part is that text, and the
    request's own parts come behind it. `is_republished` tells our own copies (parked,
    dead-lettered) from what a producer published; `returned_from` is the reason of a dead letter
    that somebody put back.
    `unknown_since` is when a call began whose result is unknown (unix seconds), and `checks`
    how often the Conversations API was asked about it. `may_have_gone` once the result of an
    earlier call for the next part was unknown, and it is called again all the same. `replay` says
    who put it back.
    """

    attempts: int = 0
    first_seen: float | None = None
    sent: tuple[str | None, ...] = ()
    recipient_id: str | None = None
    is_republished: bool = False
    returned_from: str | None = None
    unknown_since: float | None = None
    checks: int = 0
    replay: Replay | None = None
    disclosure: str | None = None
    may_have_gone: bool = False

    def with_part(self, result: Sent) -> "Progress":
        """Add one part that the API took; what was in doubt before is over."""
        return Progress(
            attempts=self.attempts,
            first_seen=self.first_seen,
            sent=(*self.sent, result.message_id),
            recipient_id=result.recipient_id or self.recipient_id,
            is_republished=self.is_republished,
            replay=self.replay and self.replay.settled,
            disclosure=self.disclosure,
        )

    @property
    def own_sent(self) -> tuple[str | None, ...]:
        """The same as `sent`, but of the request's own parts only."""
        return self.sent if self.disclosure is None else self.sent[1:]

    @property
    def disclosure_id(self) -> str | None:
        """The message id of the disclosure, once that has gone."""
        return None if self.disclosure is None or not self.sent else self.sent[0]

    @property
    def is_doubtful(self) -> bool:
        """True when it may have been sent already, whatever was said about sending it anyway."""
        return self.returned_from == Reason.UNCONFIRMED or self.unknown_since is not None

    @property
    def is_forced(self) -> bool:
        """True when somebody put it back to be sent whether or not it went before."""
        return self.returned_from is not None and self._doubt is Doubt.RESEND

    @property
    def is_to_be_looked_for(self) -> bool:
        """True when somebody put it back to have its conversation asked."""
        return self.returned_from is not None and self._doubt is Doubt.VERIFY

    @property
    def _doubt(self) -> Doubt | None:
        return None if self.replay is None else self.replay.doubt

    @property
    def begun(self) -> "Progress":
        """The same when its call is granted: earlier doubt, and what was said of it, are over.

        Doubt that comes after that is about the call that was granted.
        """
        if self.unknown_since is None and self.returned_from is None and self.replay is None:
            return self
        return self._replace(
            returned_from=None,
            unknown_since=None,
            checks=0,
            replay=self.replay and self.replay.settled,
            may_have_gone=self.may_have_gone or self.is_doubtful,
        )

    def unforced(self) -> "Progress":
        """Take back that it is to be sent anyway: there is doubt that the operator cannot know."""
        if not self.is_forced:
            return self
        return self._replace(replay=self.replay and self.replay.settled)

    def in_doubt_since(self, moment: float) -> "Progress":
        """Note that the result of the call begun at `moment` is unknown."""
        return self._replace(unknown_since=moment, checks=0)

    def with_check(self) -> "Progress":
        return self._replace(checks=self.checks + 1)

    def with_attempt(self) -> "Progress":
        # Every request comes by here, and `_replace` takes four times as long.
        return Progress(self.attempts + 1, *self[1:])

    def seen_at(self, moment: float) -> "Progress":
        """Note when it was first seen, unless that is known."""
        if self.first_seen is not None:
            return self
        return Progress(self.attempts, moment, *self[2:])

    def headers(self) -> dict[str, object]:
        """Give the headers that carry this progress."""
        headers: dict[str, object] = {ATTEMPTS: self.attempts}
        if self.first_seen is not None:
            headers[FIRST_SEEN] = rfc3339(self.first_seen)
        if self.own_sent:
            headers[SENT_PARTS] = json.dumps(self.own_sent, separators=(",", ":"))
        if self.may_have_gone:
            headers[MAY_HAVE_GONE] = True
        if self.disclosure is not None:
            headers[DISCLOSURE] = disclosure_header(self.disclosure, self.sent[:1])
        if self.recipient_id is not None:
            headers[RECIPIENT_ID] = self.recipient_id
        if self.unknown_since is not None:
            headers[UNKNOWN_SINCE] = rfc3339(self.unknown_since)
            headers[CHECKS] = self.checks
        if self.returned_from is not None:
            headers[RETURNED_FROM] = self.returned_from
        if self.replay is not None:
            headers |= self.replay.headers()
        return headers


def progress_from(headers: Mapping[str, object]) -> Progress | Problem:
    """Read our own headers; a Problem when somebody else wrote something unreadable there.

    A dead letter that was just put back starts its attempts afresh and keeps the parts that went.
    What it waits for before its first attempt does not make the parked copy less of a returned one.
    """
    if not any(name.startswith(PREFIX) for name in headers):
        return Progress()
    replay = replay_from(headers)
    if isinstance(replay, Problem):
        return replay
    try:
        put_back = _optional_text(headers.get(REASON), REASON)
        parked = _optional_text(headers.get(RETURNED_FROM), RETURNED_FROM)
        disclosure, *disclosed = _disclosure(headers.get(DISCLOSURE))
        sent = _sent_parts(headers.get(SENT_PARTS, "[]"))
        if sent and disclosure is not None and not disclosed:
            raise _Unreadable(DISCLOSURE, "with a message id where parts went behind it")
        return Progress(
            attempts=0 if put_back else _count(headers.get(ATTEMPTS, 0), ATTEMPTS),
            first_seen=None if put_back else _time(headers.get(FIRST_SEEN), FIRST_SEEN),
            sent=(*disclosed, *sent),
            recipient_id=_optional_text(headers.get(RECIPIENT_ID), RECIPIENT_ID),
            is_republished=True,
            returned_from=put_back or parked,
            unknown_since=_time(headers.get(UNKNOWN_SINCE), UNKNOWN_SINCE),
            checks=0 if put_back else _count(headers.get(CHECKS, 0), CHECKS),
            replay=replay,
            disclosure=disclosure,
            may_have_gone=headers.get(MAY_HAVE_GONE) is True,
        )
    except _Unreadable as unreadable:
        name, form = unreadable.args
        return Problem(
            "", f"the message header {name} must be {form}; leave out headers named {PREFIX}*"
        )


class _Unreadable(Exception):
    """A header of ours that is not as we write it: (name, what it should be)."""


def _count(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_ATTEMPTS:
        raise _Unreadable(name, "a whole number from 0")
    return value


def _time(value: object, name: str) -> float | None:
    if value is None:
        return None
    unreadable = _Unreadable(name, "an RFC 3339 date and time with its offset")
    if not isinstance(value, str):
        raise unreadable
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise unreadable from None
    if moment.tzinfo is None or moment.year not in _YEARS:
        raise unreadable
    return moment.timestamp()


def _sent_parts(value: object) -> tuple[str | None, ...]:
    return _ids(value, _MOST_PARTS, _Unreadable(SENT_PARTS, "a JSON array of message ids"))


def disclosure_header(digest: str, sent: Sequence[str | None]) -> str:
    """Write which text is the disclosure and, if it went, the message id it got."""
    return json.dumps([digest, *sent], separators=(",", ":"))


def _disclosure(value: object) -> tuple[str | None, ...]:
    """Read the digest and, if it went, the message id behind it."""
    if value is None:
        return (None,)
    unreadable = _Unreadable(DISCLOSURE, "a JSON array of a digest and a message id")
    parts = _ids(value, 2, unreadable)
    digest = parts[0] if parts else None
    if digest is None or len(digest) > _LONGEST_DIGEST or not digest.isascii():
        raise unreadable
    return parts


def _ids(value: object, most: int, unreadable: "_Unreadable") -> tuple[str | None, ...]:
    if not isinstance(value, str) or len(value) > _LONGEST_PARTS_TEXT:
        raise unreadable
    try:
        parts = json.loads(value)
    except (ValueError, RecursionError):
        raise unreadable from None
    if not isinstance(parts, list) or len(parts) > most:
        raise unreadable
    if not all(part is None or _is_unicode(part) for part in parts):
        raise unreadable
    return tuple(parts)


def _is_unicode(value: object) -> bool:
    """True for text that UTF-8 can carry: JSON may spell half of a surrogate pair."""
    return isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value)


def _optional_text(value: object, name: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise _Unreadable(name, "text")
    return value


def rfc3339(moment: float) -> str:
    """Write unix seconds as RFC 3339 in UTC, with milliseconds."""
    second, microsecond = divmod(round(moment * 1_000_000), 1_000_000)
    return f"{_up_to_seconds(second)}.{microsecond // 1000:03}Z"


# Two or three of these are written for every request, most of them for the same second.
@lru_cache(64)
def _up_to_seconds(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[: len("2000-01-01T00:00:00")]
