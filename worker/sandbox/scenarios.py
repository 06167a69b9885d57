"""Ready-made faults by name: what Instagram and the network were seen to do to a sender.

Error pairs are from Meta's "Common Error Codes"; each scenario is a script as `faults.py` reads it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named script; `meaning` says when it happens in life."""

    meaning: str
    script: Mapping[str, Any]


def _refused(status: int, code: int, subcode: int | None = None, **more: Any) -> dict[str, Any]:
    return {"status": status, "error": {"code": code, "error_subcode": subcode, **more}}


_HTML_502 = (
    "<html><head><title>502 Bad Gateway</title></head>"
    "<body><center><h1>502 Bad Gateway</h1></center></body></html>\n"
)

SCENARIOS: Mapping[str, Scenario] = {
    "throttled_1m": Scenario(
        "the account's messaging limit is reached; may be called again in a minute",
        {**_refused(429, 613, 2534040), "regain_access_minutes": 1},
    ),
    "throttled_retry_after": Scenario(
        "429 with Retry-After: 2 seconds",
        {**_refused(429, 613, 2534040), "headers": {"Retry-After": "2"}},
    ),
    "throttled_bare": Scenario("429 that says nothing about how long", {"status": 429}),
    "throttled_app": Scenario("the app's limit is reached", _refused(400, 4)),
    "throttled_person": Scenario(
        "tagged messages to this person look abusive", _refused(400, 613, 2018338)
    ),
    "expired_token": Scenario("the token has expired", _refused(400, 190, 463)),
    "password_changed": Scenario("the owner changed the password", _refused(400, 190, 460)),
    "permission_revoked": Scenario("the app lost its permission", _refused(403, 10)),
    "policy_block": Scenario("the account is blocked for policy", _refused(400, 368)),
    "access_switched_off": Scenario(
        "the owner switched off access to messages", _refused(400, 200, 2534041)
    ),
    "window_closed": Scenario("the 24 h window is closed", _refused(403, 10, 2534022)),
    "person_unavailable": Scenario("the person blocked the account", _refused(400, 551)),
    "no_such_person": Scenario("no Instagram user of that id", _refused(400, 100, 2534014)),
    "comment_spent": Scenario(
        "the comment is answered already, or too old", _refused(400, 100, 2534025)
    ),
    "media_not_fetched": Scenario("Meta could not fetch the URL", _refused(400, 100, 2018008)),
    "media_too_big": Scenario("the attachment is too big", _refused(400, 100, 2018109)),
    "temporary_error": Scenario(
        "temporary error before acceptance", _refused(500, 2, is_transient=True)
    ),
    "error_after_accept": Scenario(
        "an error although the message was sent, as Meta documents",
        {**_refused(400, 1, 1357046), "accept": True},
    ),
    "error_with_200": Scenario("status 200 with an error in it", _refused(200, 2, 1545133)),
    "html_502": Scenario(
        "a gateway in front of the API failed",
        {"status": 502, "body": _HTML_502, "content_type": "text/html"},
    ),
    "html_502_after_accept": Scenario(
        "a gateway failed on the way back",
        {"status": 502, "body": _HTML_502, "content_type": "text/html", "accept": True},
    ),
    "empty_500": Scenario("status 500 without a body", {"status": 500}),
    "ok_without_id": Scenario("a success without message_id", {"omit_message_id": True}),
    "ok_not_json": Scenario(
        "accepted, and the answer is unreadable",
        {"status": 200, "body": "OK", "content_type": "text/plain", "accept": True},
    ),
    "slow_5s": Scenario("accepted after 5 seconds", {"latency_s": 5.0}),
    "hang_before_accept": Scenario("read, never answered, not accepted", {"hang": True}),
    "hang_after_accept": Scenario("accepted, never answered", {"hang": True, "accept": True}),
    "reset_before_reading": Scenario(
        "connection reset before the body was read", {"reset": "before_reading"}
    ),
    "reset_before_accept": Scenario(
        "connection reset after the body was read, not accepted", {"reset": "before_accepting"}
    ),
    "reset_after_accept": Scenario(
        "accepted, connection reset instead of an answer", {"reset": "after_accepting"}
    ),
    "cut_answer": Scenario("accepted, the answer breaks off half-way", {"cut": True}),
}


class UnknownScenarioError(ValueError):
    """No scenario has this name; the text lists those there are."""


def script_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Replace `scenario` in a script by what it stands for; other keys given win."""
    rest = dict(given)
    name = rest.pop("scenario", None)
    if name is None:
        return rest
    scenario = SCENARIOS.get(name) if isinstance(name, str) else None
    if scenario is None:
        raise UnknownScenarioError(f"scenario: must be one of {', '.join(SCENARIOS)}")
    return {**scenario.script, **rest}
