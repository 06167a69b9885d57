"""Builders of what a request carries: each gives a Graph `message` object, or an action.

They only put the pieces in their places; whether the contract is kept is checked when the request
is sent. Meta's guide, "Send messages", shows each of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Message = dict[str, Any]
Button = dict[str, str]


class Action(NamedTuple):
    """A sender action, which goes alone; `payload` only for reactions."""

    name: str
    payload: Mapping[str, str] | None = None


def text(words: str, *, quick_replies: Sequence[Mapping[str, str]] = ()) -> Message:
    """A text or link, at most 1000 bytes in UTF-8 (or see `split`); up to 13 quick replies."""
    message: Message = {"text": words}
    if quick_replies:
        message["quick_replies"] = [dict(each) for each in quick_replies]
    return message


def quick_reply(title: str, payload: str | None = None) -> Button:
    """A button that answers: the webhook gets `payload`, or the title without one."""
    reply = {"content_type": "text", "title": title}
    return reply if payload is None else {**reply, "payload": payload}


def quick_reply_phone() -> Button:
    """A button that answers with the person's phone number."""
    return {"content_type": "user_phone_number"}


def quick_reply_email() -> Button:
    """A button that answers with the person's email address."""
    return {"content_type": "user_email"}


def image(url: str) -> Message:
    """A jpeg, png or gif of up to 8 MB at a public https URL."""
    return _attached("image", {"url": url})


def uploaded_image(attachment_id: str) -> Message:
    """An image that was uploaded to Meta before."""
    return _attached("image", {"attachment_id": attachment_id})


def images(*urls: str) -> Message:
    """Up to ten images in one message."""
    return {"attachments": [{"type": "image", "payload": {"url": url}} for url in urls]}


def audio(url: str) -> Message:
    """An aac, m4a, wav or mp4 of up to 25 MB at a public https URL."""
    return _attached("audio", {"url": url})


def video(url: str) -> Message:
    """An mp4, ogg, avi, mov or webm of up to 25 MB at a public https URL."""
    return _attached("video", {"url": url})


def file(url: str) -> Message:
    """A pdf of up to 25 MB at a public https URL."""
    return _attached("file", {"url": url})


def sticker() -> Message:
    """The heart, which is the one that there is."""
    return {"attachment": {"type": "like_heart"}}


def published_post(post_id: str) -> Message:
    """A post of the sending account."""
    return _attached("MEDIA_SHARE", {"id": post_id})


def generic_template(*cards: Mapping[str, Any]) -> Message:
    """One to ten cards side by side (see `card`)."""
    elements = [dict(card) for card in cards]
    return _attached("template", {"template_type": "generic", "elements": elements})


def card(
    title: str,
    *,
    subtitle: str | None = None,
    image_url: str | None = None,
    opens: str | None = None,
    buttons: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """A card of a generic template: besides the title something is needed.

    `opens` is the page that a tap on the card opens.
    """
    element: dict[str, Any] = {"title": title}
    if subtitle is not None:
        element["subtitle"] = subtitle
    if image_url is not None:
        element["image_url"] = image_url
    if opens is not None:
        element["default_action"] = {"type": "web_url", "url": opens}
    if buttons:
        element["buttons"] = [dict(button) for button in buttons]
    return element


def button_template(words: str, *buttons: Mapping[str, str]) -> Message:
    """A text of up to 640 characters with one to three buttons."""
    chosen = [dict(button) for button in buttons]
    return _attached("template", {"template_type": "button", "text": words, "buttons": chosen})


def link_button(title: str, url: str) -> Button:
    """A button that opens a page."""
    return {"type": "web_url", "title": title, "url": url}


def postback_button(title: str, payload: str) -> Button:
    """A button that tells the webhook that it was tapped."""
    return {"type": "postback", "title": title, "payload": payload}


def react(message_id: str, reaction: str = "love") -> Action:
    """React to a message, by the word love or one emoji."""
    return Action("react", {"message_id": message_id, "reaction": reaction})


def unreact(message_id: str) -> Action:
    """Take a reaction back."""
    return Action("unreact", {"message_id": message_id})


def typing_on() -> Action:
    """Show that somebody types."""
    return Action("typing_on")


def typing_off() -> Action:
    """Show it no longer."""
    return Action("typing_off")


def mark_seen() -> Action:
    """Mark the conversation as seen."""
    return Action("mark_seen")


def _attached(kind: str, payload: Mapping[str, Any]) -> Message:
    return {"attachment": {"type": kind, "payload": dict(payload)}}
