"""Whether a message that may have been sent is in its conversation, as the Conversations API tells.

Absence is no proof: how long a message takes to be listed is nowhere said. The caller decides.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import floor

from worker.core.kind import Kind, answers_with_message_id
from worker.core.request import Part
from worker.core.send_result import GraphError, Refused, Throttled

# Between the worker's clock and the API's; `created_time` has whole seconds besides.
CLOCK_SKEW_S = 2

_LATEST = 1e11  # beyond it a number is no unix seconds, but perhaps milliseconds


class Form(StrEnum):
    """What an attachment certainly is."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    TEMPLATE = "template"


# As what an attachment of a kind may be listed. Meta converts: sound files come back as video
# containers, a post as the image or the video in it. A kind without a row may be anything.
_FORMS = {
    Kind.IMAGE: frozenset({Form.IMAGE}),
    Kind.IMAGES: frozenset({Form.IMAGE}),
    Kind.VIDEO: frozenset({Form.VIDEO}),
    Kind.AUDIO: frozenset({Form.AUDIO, Form.VIDEO}),
    Kind.FILE: frozenset[Form](),
    Kind.GENERIC_TEMPLATE: frozenset({Form.TEMPLATE}),
    Kind.BUTTON_TEMPLATE: frozenset({Form.TEMPLATE}),
    Kind.PUBLISHED_POST: frozenset({Form.IMAGE, Form.VIDEO}),
}
_ANY_FORM = frozenset(Form)


@dataclass(frozen=True, slots=True)
class ListedMessage:
    """One message of a conversation; None is what the API did not tell.

    `created_at` is in whole unix seconds. `attachments` has one entry for each, None for a form
    that cannot be told.
    """

    id: str
    created_at: float | None = None
    from_id: str | None = None
    text: str | None = None
    attachments: tuple[Form | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Listed:
    """The newest messages, newest first; `calls` is how many calls it took.

    `has_older` unless these are certainly all there are.
    """

    messages: tuple[ListedMessage, ...]
    calls: int
    has_older: bool = False


@dataclass(frozen=True, slots=True)
class Unlisted:
    """The API could not be asked.

    `closes` is the throttle or the refusal of the account that the gate should know of.
    """

    error: GraphError
    calls: int
    closes: Throttled | Refused | None = None


Listing = Listed | Unlisted


@dataclass(frozen=True, slots=True)
class Found:
    """The message went; the same two ids that the lost answer had."""

    message_id: str
    recipient_id: str


@dataclass(frozen=True, slots=True)
class Absent:
    """The listing reaches back far enough and does not have it, or not yet."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """The listing says nothing either way; `why` is half a sentence for a person."""

    why: str


Finding = Found | Absent | Undecided

MOVED_ON = "all messages that the API lists are newer than the attempt"
WITHOUT_DETAILS = "the API lists a message without telling what it is"


def can_be_verified(part: Part) -> bool:
    """Tell whether the conversation can show that `part` went.

    Actions and reactions leave no message; a private reply names a comment, and conversations
    are found by person.
    """
    return answers_with_message_id(part.kind) and "id" in part.body["recipient"]


def finding_of(
    part: Part, listed: Listed, *, started_at: float, known_ids: frozenset[str]
) -> Finding:
    """Look for `part`, which `can_be_verified`, among what is listed.

    `started_at` is when its call began (unix seconds); `known_ids` are messages of other sends,
    the request's own earlier parts among them. Compared are: who it is from; text exactly; of
    anything else that it has an attachment, no text, and no form that the kind cannot have.
    """
    person = part.body["recipient"]["id"]
    since = floor(started_at) - CLOCK_SKEW_S
    found, is_blurred = None, False
    for message in _unknown_since(since, listed, known_ids):
        likeness = _likeness(part, message, person)
        if likeness is True and message.created_at is not None:
            # The earliest is nearest to the attempt; of one second, the one listed last.
            if found is None or message.created_at <= found[0]:
                found = message.created_at, message.id
        elif likeness is not False:
            is_blurred = True
    if found is not None:
        return Found(found[1], person)
    if is_blurred:
        return Undecided(WITHOUT_DETAILS)
    if listed.has_older and not any(_is_before(since, each) for each in listed.messages):
        return Undecided(MOVED_ON)
    return Absent()


def moment_of(created_time: object) -> float | None:
    """Read either spelling of `created_time`: RFC 3339 or nearly, and unix seconds."""
    if isinstance(created_time, str) and not (created_time.isascii() and created_time.isdigit()):
        try:
            moment = datetime.fromisoformat(created_time)
        except ValueError:
            return None
        return moment.timestamp() if moment.tzinfo is not None else None
    if not isinstance(created_time, str | int | float) or isinstance(created_time, bool):
        return None
    seconds = float(created_time[:20]) if isinstance(created_time, str) else created_time
    return float(seconds) if 0 < seconds < _LATEST else None


def _unknown_since(
    since: int, listed: Listed, known_ids: frozenset[str]
) -> Iterator[ListedMessage]:
    for message in listed.messages:
        if message.id not in known_ids and not _is_before(since, message):
            yield message


def _is_before(since: int, message: ListedMessage) -> bool:
    return message.created_at is not None and message.created_at < since


def _likeness(part: Part, message: ListedMessage, person: str) -> bool | None:
    """Tell whether it may be the part's own message; None when the details are missing.

    Whatever is not from the person is from the account: the API may name the account by its
    app-scoped id, which the worker does not know.
    """
    if message.from_id is None:
        return None
    if message.from_id == person:
        return False
    if part.kind in (Kind.TEXT, Kind.QUICK_REPLIES):
        if message.text is None and not message.attachments:
            return None
        return bool(message.text == part.body["message"]["text"])
    if message.text:
        return False
    if not message.attachments:
        return None
    possible = _FORMS.get(part.kind, _ANY_FORM)
    return all(form is None or form in possible for form in message.attachments)
