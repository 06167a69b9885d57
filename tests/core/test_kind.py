"""Which kind a message is, which limit it counts against, what its answer must hold."""

from typing import Any

import pytest

from worker.core.kind import (
    Bucket,
    Kind,
    answers_with_message_id,
    bucket_of,
    is_fetched_by_meta,
    kind_of_message,
)

PERSON = {"id": "6789012345"}
URL = {"url": "https://cdn.example.com/file"}
FETCHED = {Kind.IMAGE, Kind.IMAGES, Kind.AUDIO, Kind.VIDEO, Kind.FILE}
ACTIONS = {Kind.REACT, Kind.UNREACT, Kind.TYPING_ON, Kind.TYPING_OFF, Kind.MARK_SEEN}


def an_attachment(type: str, payload: Any = URL) -> dict[str, Any]:
    return {"attachment": {"type": type, "payload": payload}}


SHAPES = [
    ({"text": "hello"}, Kind.TEXT),
    ({"text": "https://shop.example.com"}, Kind.TEXT),
    ({"text": "which?", "quick_replies": []}, Kind.QUICK_REPLIES),
    (an_attachment("image"), Kind.IMAGE),
    ({"attachments": {"type": "image", "payload": URL}}, Kind.IMAGE),
    ({"attachments": [{"type": "image", "payload": URL}]}, Kind.IMAGES),
    (an_attachment("audio"), Kind.AUDIO),
    (an_attachment("video"), Kind.VIDEO),
    (an_attachment("file"), Kind.FILE),
    ({"attachment": {"type": "like_heart"}}, Kind.STICKER),
    (an_attachment("MEDIA_SHARE", {"id": "17900"}), Kind.PUBLISHED_POST),
    (an_attachment("template", {"template_type": "generic"}), Kind.GENERIC_TEMPLATE),
    (an_attachment("template", {"template_type": "button"}), Kind.BUTTON_TEMPLATE),
]


@pytest.mark.parametrize(("message", "kind"), SHAPES)
def test_every_shape_of_message_has_its_kind(message: dict[str, Any], kind: Kind) -> None:
    assert kind_of_message(message) is kind


def test_messages_and_actions_together_are_all_kinds() -> None:
    assert {kind for _, kind in SHAPES} | ACTIONS == set(Kind)


@pytest.mark.parametrize("kind", Kind)
def test_what_meta_fetches_counts_as_media_and_all_else_as_text(kind: Kind) -> None:
    assert is_fetched_by_meta(kind) == (kind in FETCHED)
    assert bucket_of(kind, PERSON) is (Bucket.MEDIA if kind in FETCHED else Bucket.TEXT)


@pytest.mark.parametrize(
    ("recipient", "bucket"),
    [
        ({"comment_id": "1"}, Bucket.PRIVATE_REPLY),
        ({"comment_id": "1", "live": False}, Bucket.PRIVATE_REPLY),
        ({"comment_id": "1", "live": True}, Bucket.LIVE_REPLY),
    ],
)
def test_private_replies_have_limits_of_their_own(
    recipient: dict[str, Any], bucket: Bucket
) -> None:
    assert bucket_of(Kind.TEXT, recipient) is bucket


@pytest.mark.parametrize("kind", Kind)
def test_actions_and_reactions_are_answered_without_a_message_id(kind: Kind) -> None:
    assert answers_with_message_id(kind) == (kind not in ACTIONS)
