"""The shapes of `sender_action`: Meta's "Sender Actions" page, reactions from "Send Messages"."""

import unicodedata
from typing import Any

from worker.sandbox.fields import only, the_object, the_text
from worker.sandbox.refusal import GraphRefusal

_PRESENCE = ("typing_on", "typing_off", "mark_seen")
_LONGEST_REACTION = 32
_KEYCAP = "\u20e3"
# The information sign is the one emoji that Unicode files under letters.
_LETTER_EMOJI = "\u2139"


def check_action(body: dict[str, Any]) -> tuple[str, str | None]:
    """Refuse what is no documented action; name its kind and the message it is about.

    A presence action must be alone with its recipient, else the API drops one half or refuses.
    """
    action = body.get("sender_action")
    if action in _PRESENCE:
        only(body, "the body", "recipient", "sender_action")
        return str(action), None
    if action not in ("react", "unreact"):
        raise GraphRefusal(100, detail="sender_action is not a known one")
    only(body, "the body", "recipient", "sender_action", "payload")
    payload = the_object(body.get("payload"), "payload")
    if action == "react":
        only(payload, "payload", "message_id", "reaction")
        _check_reaction(payload)
    else:
        only(payload, "payload", "message_id")
    return action, the_text(payload, "message_id", "payload", empty=None)


def _check_reaction(payload: dict[str, Any]) -> None:
    reaction = the_text(payload, "reaction", "payload", most=_LONGEST_REACTION, empty=None)
    if reaction != "love" and not _looks_like_emoji(reaction):
        raise GraphRefusal(100, detail="payload.reaction must be love or an emoji")


def _looks_like_emoji(reaction: str) -> bool:
    """Tell a pictograph from words; which pictographs Instagram knows is not ours to say."""
    if reaction.endswith(_KEYCAP):
        return reaction[0] in "0123456789#*"
    categories = {unicodedata.category(sign) for sign in reaction.replace(_LETTER_EMOJI, "\u24c2")}
    is_pictured = any(category in ("So", "Sm", "Cn", "Po", "Pd") for category in categories)
    has_words = any(category[0] in "LNZ" or category == "Cc" for category in categories)
    return is_pictured and not has_words and not reaction.isascii()
