"""The messaging window: until when a message may be sent, and with which tag.

Source: Meta's guide, "Send a message" (24 hours), "Human agent experiences" (7 days), and
"Send a Private Reply to a Commenter" (7 days, no window of its own).
"""

from collections.abc import Mapping
from typing import Any

from worker.core.account import Account
from worker.core.request import Author, SendRequest
from worker.core.send_result import Refused, Scope

HOUR_S = 3600.0
STANDARD_WINDOW_S = 24 * HOUR_S
LONG_WINDOW_S = 7 * 24 * HOUR_S

# Meta checks the window when it accepts the call. A call that starts this close to the end
# would be refused more often than not, and a refusal costs a call.
SAFETY_MARGIN_S = 5.0

HUMAN_AGENT_TAG: Mapping[str, Any] = {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}


def window_closes_at(request: SendRequest, account: Account | None) -> float | None:
    """Say when (unix seconds) the window closes; None when only the API can tell."""
    if request.last_inbound_at is None:
        return None
    is_long = request.is_private_reply or may_use_human_agent(request, account)
    length_s = LONG_WINDOW_S if is_long else STANDARD_WINDOW_S
    return request.last_inbound_at + length_s - SAFETY_MARGIN_S


def deadline_of(request: SendRequest, account: Account | None) -> float | None:
    """Say until when (unix seconds) the request is worth sending; None when there is no end."""
    ends = [
        end for end in (request.expires_at, window_closes_at(request, account)) if end is not None
    ]
    return min(ends) if ends else None


def tag_for(request: SendRequest, account: Account, *, now: float) -> Mapping[str, Any]:
    """Give the extra body fields of the human agent tag, or nothing.

    Only between 24 h and 7 days after the person wrote: Meta refuses the tag without approval
    (100/2018276) even inside 24 h, and tagging what needs no tag breaks its policy.
    """
    if request.last_inbound_at is None or not may_use_human_agent(request, account):
        return {}
    is_outside = now > request.last_inbound_at + STANDARD_WINDOW_S - SAFETY_MARGIN_S
    return HUMAN_AGENT_TAG if is_outside else {}


def tag_after_refusal(
    refused: Refused, request: SendRequest, account: Account | None, *, now: float
) -> Mapping[str, Any]:
    """Give the tag to try once more with when an untagged call was refused for the window.

    Who does not know when the person wrote, or knows it wrongly, learns here that it was over
    24 h ago. Nothing when the tag would not help, or may not be used.
    """
    if refused.scope is not Scope.WINDOW or not may_use_human_agent(request, account):
        return {}
    last = request.last_inbound_at
    is_over = last is not None and now > last + LONG_WINDOW_S - SAFETY_MARGIN_S
    return {} if is_over else HUMAN_AGENT_TAG


def may_use_human_agent(request: SendRequest, account: Account | None) -> bool:
    """True when a person wrote the message and the account's app has the feature.

    Actions carry no tag: a body that holds more than the action is refused (100/2018014).
    """
    return (
        account is not None
        and account.human_agent
        and request.author is Author.HUMAN
        and not request.is_private_reply
        and not request.is_action
    )
