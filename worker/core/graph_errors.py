"""The error table: (code, subcode) to what it means for the request.

Sources: Meta's "Common Error Codes" for the Messenger Platform (which covers Instagram),
"Handle Errors" and "Rate Limits" of the Graph API, and refusals observed in production. Rows
are looked up by (code, subcode), then by (code, None). Texts of the API are never read: they
are localised.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from worker.core.send_result import Scope


class Verdict(Enum):
    """What a row says about the request."""

    UNKNOWN = "unknown"
    THROTTLED_APP = "throttled_app"
    THROTTLED_ACCOUNT = "throttled_account"
    THROTTLED_CONVERSATION = "throttled_conversation"
    ACCOUNT = "account"
    RECIPIENT = "recipient"
    WINDOW = "window"
    MESSAGE = "message"
    MEDIA = "media"
    ALREADY_REPLIED = "already_replied"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the verdict and a sentence that a person understands."""

    verdict: Verdict
    meaning: str


THROTTLE_SCOPES = {
    Verdict.THROTTLED_APP: Scope.APP,
    Verdict.THROTTLED_ACCOUNT: Scope.ACCOUNT,
    Verdict.THROTTLED_CONVERSATION: Scope.CONVERSATION,
}

REFUSAL_SCOPES = {
    Verdict.ACCOUNT: Scope.ACCOUNT,
    Verdict.RECIPIENT: Scope.RECIPIENT,
    Verdict.WINDOW: Scope.WINDOW,
    Verdict.MESSAGE: Scope.MESSAGE,
}

_U, _APP, _THROTTLED = Verdict.UNKNOWN, Verdict.THROTTLED_APP, Verdict.THROTTLED_ACCOUNT
_ACCOUNT, _RECIPIENT, _WINDOW = Verdict.ACCOUNT, Verdict.RECIPIENT, Verdict.WINDOW
_MESSAGE, _MEDIA = Verdict.MESSAGE, Verdict.MEDIA

_WINDOW_CLOSED = "the messaging window of this person is closed"
_NO_PERMISSION = "the app lacks a permission for this account"
_NOT_APPROVED = (
    "the app is not approved for the human agent tag; set human_agent = false for this account"
)

TABLE: Mapping[tuple[int, int | None], Row] = {
    (-1, None): Row(_U, "the API had an internal error"),
    (-2, None): Row(_MEDIA, "Instagram timed out fetching the media file"),
    (1, None): Row(_U, "the API had an unknown error"),
    (1, 99): Row(_U, "the API had an unknown error; often a permission is missing"),
    (1, 1357046): Row(_U, "the API answered with an error although it sent the message"),
    (2, None): Row(_U, "the API was temporarily unavailable, or the person blocked the account"),
    (2, 1545133): Row(_U, "the API was temporarily unavailable"),
    (3, None): Row(_ACCOUNT, "the app lacks the capability for this call"),
    (4, None): Row(_APP, "the app reached its request limit"),
    (4, 2018022): Row(_MESSAGE, "the limit for phone numbers was reached"),
    (4, 2018354): Row(_MESSAGE, "the limit for marketing messages was reached"),
    (9, 2018352): Row(_MESSAGE, "the limit for marketing opt-ins was reached"),
    (10, None): Row(_ACCOUNT, _NO_PERMISSION),
    (10, 1404170): Row(_MESSAGE, "marketing messages are restricted"),
    (10, 1893015): Row(_MESSAGE, "marketing messages are restricted"),
    (10, 1893063): Row(_ACCOUNT, "the account is temporarily restricted from sending"),
    (10, 2018065): Row(_WINDOW, _WINDOW_CLOSED),
    (10, 2018108): Row(_RECIPIENT, "the person cannot receive messages now"),
    (10, 2018278): Row(_WINDOW, _WINDOW_CLOSED),
    (10, 2018300): Row(_RECIPIENT, "another app controls this conversation"),
    (10, 2018336): Row(_RECIPIENT, "the person's region restricts this feature"),
    (10, 2534022): Row(_WINDOW, _WINDOW_CLOSED),
    (10, 2534077): Row(_ACCOUNT, "Instagram cannot verify the account's link"),
    (17, None): Row(_THROTTLED, "the account reached its request limit"),
    (32, None): Row(_THROTTLED, "the account reached its request limit"),
    (100, None): Row(_MESSAGE, "the API refused a parameter of the message"),
    (100, 33): Row(_MESSAGE, "the object does not exist or may not be used by this account"),
    (100, 2018001): Row(_RECIPIENT, "no such person for this account"),
    (100, 2018008): Row(_MEDIA, "Instagram could not fetch the media file"),
    (100, 2018014): Row(_MESSAGE, "a request holds a message or a sender action, not both"),
    (100, 2018015): Row(_MESSAGE, "the request holds neither a message nor a sender action"),
    (100, 2018034): Row(_MESSAGE, "the message is empty"),
    (100, 2018040): Row(_MESSAGE, "a button's payload is empty"),
    (100, 2018041): Row(_MESSAGE, "a URL is empty"),
    (100, 2018047): Row(_MEDIA, "the media file could not be used; its type may differ"),
    (100, 2018053): Row(_MESSAGE, "a button's title is empty"),
    (100, 2018074): Row(_MESSAGE, "the attachment id is unknown or another account's"),
    (100, 2018109): Row(_MESSAGE, "the attachment is too large"),
    (100, 2018164): Row(_MESSAGE, "the app id of the message is wrong"),
    (100, 2018276): Row(_MESSAGE, _NOT_APPROVED),
    (100, 2018294): Row(_MEDIA, "the video is corrupt or took over 75 s to fetch"),
    (100, 2018320): Row(_MESSAGE, "the product template is wrong"),
    (100, 2018328): Row(_MESSAGE, "the product template is wrong"),
    (100, 2534013): Row(_ACCOUNT, "the account is not linked as the API needs it"),
    (100, 2534014): Row(_RECIPIENT, "no such Instagram user, or an id of another kind"),
    (100, 2534015): Row(_MESSAGE, "the message's data does not fit its kind"),
    (100, 2534025): Row(
        Verdict.ALREADY_REPLIED, "the comment is answered already, too old, or unknown"
    ),
    (100, 2534029): Row(_ACCOUNT, "the account is blocked from messaging"),
    (100, 2534037): Row(_RECIPIENT, "the account does not own this conversation"),
    (102, None): Row(_ACCOUNT, "the token's session has ended"),
    (104, None): Row(_ACCOUNT, "the call was signed wrongly for this account"),
    (190, None): Row(_ACCOUNT, "the access token is expired, revoked or garbled"),
    (190, 458): Row(_ACCOUNT, "the owner removed the app; the account must log in again"),
    (190, 459): Row(_ACCOUNT, "Instagram wants the owner to pass a check in the app"),
    (190, 460): Row(_ACCOUNT, "the password changed; the account must log in again"),
    (190, 463): Row(_ACCOUNT, "the access token has expired"),
    (190, 464): Row(_ACCOUNT, "the owner's login is not confirmed"),
    (190, 467): Row(_ACCOUNT, "the access token is invalid"),
    (190, 490): Row(_ACCOUNT, "Instagram wants the owner to pass a security check"),
    (190, 492): Row(_ACCOUNT, "the token's user lost the role on the Page"),
    (190, 2069032): Row(_ACCOUNT, "the access token lacks a permission"),
    (200, None): Row(_ACCOUNT, _NO_PERMISSION),
    (200, 1545041): Row(_RECIPIENT, "the person is not available"),
    (200, 2018027): Row(_ACCOUNT, "with Standard Access only people with an app role get messages"),
    (200, 2018028): Row(_ACCOUNT, "with Standard Access only people with an app role get messages"),
    (200, 2534041): Row(_ACCOUNT, "the owner switched off message access for connected tools"),
    (230, None): Row(_ACCOUNT, _NO_PERMISSION),
    (341, None): Row(_APP, "the app reached its request limit"),
    (368, None): Row(_ACCOUNT, "the account is temporarily blocked for a policy violation"),
    (506, None): Row(_MESSAGE, "the API calls the message a duplicate"),
    (551, None): Row(_RECIPIENT, "the person cannot receive messages from this account"),
    (613, None): Row(_THROTTLED, "the account reached a rate limit"),
    (613, 1996): Row(_THROTTLED, "the API finds the account's request volume inconsistent"),
    (613, 1893016): Row(_MESSAGE, "the opt-in was asked for already"),
    (613, 2018338): Row(
        Verdict.THROTTLED_CONVERSATION, "tagged messages to this person look abusive"
    ),
    (613, 2534040): Row(_THROTTLED, "the account reached its messaging limit"),
    (803, None): Row(_MESSAGE, "an object of the message was not found"),
    (1200, None): Row(_U, "sending failed temporarily"),
    (2022, None): Row(_ACCOUNT, "commerce messages are disabled after a violation"),
    (36000, None): Row(_MESSAGE, "the image is too large"),
    (36103, None): Row(_ACCOUNT, "the account is not eligible for the API"),
    (2018300, None): Row(_RECIPIENT, "another app controls this conversation"),
    (2534001, None): Row(_RECIPIENT, "the owner archived or deleted this conversation"),
    (9000001, None): Row(_MESSAGE, "the message to react to was deleted"),
}

# Ranges: permissions 200-299, and business use case limits 80000-80014 ("Rate Limits").
PERMISSION_CODES = range(200, 300)
_BUSINESS_LIMIT_CODES = range(80000, 80015)

# Code 10 with a subcode nobody listed: "permission" alone would close the whole account.
_WITHOUT_FALLBACK = frozenset({10})

# The API names a code we do not know but refuses with 4xx: refused, for this message.
UNLISTED = Row(_MESSAGE, "the API refused the message with a code that is not in the table")


def row_for(code: int, subcode: int | None) -> Row | None:
    """Find the row of an error; None when the table has nothing for its code."""
    row = TABLE.get((code, subcode))
    if row is None and code not in _WITHOUT_FALLBACK:
        row = TABLE.get((code, None))
    if row is not None:
        return row
    if code in PERMISSION_CODES:
        return TABLE[200, None]
    if code in _BUSINESS_LIMIT_CODES:
        return Row(_THROTTLED, "the account reached its business use case limit")
    return None
