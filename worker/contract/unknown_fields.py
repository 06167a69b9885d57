"""What to tell a producer about a field that the contract does not know."""

from collections.abc import Collection
from difflib import get_close_matches

# Fields of Meta's interfaces that producers try, and what to do here instead.
_ADVICE = {
    "access_token": "tokens never travel in requests, the worker has them",
    "messaging_type": "the worker adds it where it is needed",
    "tag": "the worker adds it; say author: human and last_inbound_at",
    "caption": "Instagram has no captions; send the text as a message of its own",
    "reply_to": "Instagram does not document sending it",
    "notification_type": "Instagram does not take it, only Messenger does",
    "persona_id": "Instagram does not take it, only Messenger does",
    "is_reusable": "it belongs to uploads, not to messages",
    "sharable": "Instagram does not take it, only Messenger does",
}

_MOST_NAMES_SHOWN = 12


def sentence_for_unknown(name: str, known: Collection[str]) -> str:
    """Name the nearest known field, or give the reason, or list what is known here."""
    if name in _ADVICE:
        return f"is not taken: {_ADVICE[name]}"
    if not known:
        return "is not a known field"
    near = get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    if near:
        return f'is not a known field; did you mean "{near[0]}"?'
    names = ", ".join(sorted(known)[:_MOST_NAMES_SHOWN])
    return f"is not a known field; known here: {names}"
