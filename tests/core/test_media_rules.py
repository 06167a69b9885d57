"""Meta's table of media: what is certainly wrong is refused, everything else is Meta's to judge."""

from typing import Any

import pytest

from worker.core.media_rules import Found, Media, media_in, objection

MB = 1024 * 1024

TAKEN = [
    ("image", "image/png"),
    ("image", "image/jpeg"),
    ("image", "image/gif"),
    ("audio", "audio/aac"),
    ("audio", "audio/x-m4a"),
    ("audio", "audio/wav"),
    ("audio", "video/mp4"),
    ("video", "video/mp4"),
    ("video", "audio/ogg"),
    ("video", "video/x-msvideo"),
    ("video", "video/quicktime"),
    ("video", "video/webm"),
    ("file", "application/pdf"),
]
SAYS_NOTHING = ["application/octet-stream", "binary/octet-stream", "text/plain", "x/y", None]
WRONG = [
    ("image", "image/webp"),
    ("image", "image/svg+xml"),
    ("image", "text/html"),
    ("image", "video/mp4"),
    ("image", "application/pdf"),
    ("audio", "audio/mpeg"),
    ("audio", "audio/ogg"),
    ("audio", "image/png"),
    ("video", "video/x-matroska"),
    ("video", "text/html"),
    ("file", "application/zip"),
    ("file", "image/png"),
]


@pytest.mark.parametrize(("kind", "content_type"), TAKEN)
def test_type_of_the_table_is_taken(kind: str, content_type: str) -> None:
    assert objection(kind, Found(200, content_type, 100)) is None


@pytest.mark.parametrize("content_type", SAYS_NOTHING)
@pytest.mark.parametrize("kind", ["image", "audio", "video", "file"])
def test_type_that_says_nothing_is_left_to_meta(kind: str, content_type: str | None) -> None:
    assert objection(kind, Found(206, content_type, None)) is None


@pytest.mark.parametrize(("kind", "content_type"), WRONG)
def test_type_of_another_file_is_refused_with_what_is_allowed(kind: str, content_type: str) -> None:
    said = objection(kind, Found(200, content_type, 100))
    assert said is not None
    assert f"the file is {content_type}, but a" in said
    assert "must be" in said


@pytest.mark.parametrize(
    ("kind", "most"), [("image", 8), ("audio", 25), ("video", 25), ("file", 25)]
)
def test_file_over_the_limit_is_refused_and_at_the_limit_taken(kind: str, most: int) -> None:
    assert objection(kind, Found(200, None, most * MB)) is None
    said = objection(kind, Found(206, None, most * MB + 1))
    assert said is not None
    assert f"{most * MB + 1} bytes" in said
    assert f"at most {most} MB" in said


@pytest.mark.parametrize("status", [404, 410])
def test_file_that_is_not_there_is_refused(status: int) -> None:
    assert f"HTTP {status}" in (objection("image", Found(status)) or "")


@pytest.mark.parametrize("status", [None, 204, 301, 400, 401, 403, 405, 416, 429, 500, 503])
def test_any_other_answer_is_left_to_meta(status: int | None) -> None:
    assert objection("image", Found(status, "text/html", 100 * MB)) is None


def attached(kind: str, **payload: str) -> dict[str, Any]:
    return {"type": kind, "payload": payload}


def test_each_file_has_the_pointer_of_its_url() -> None:
    document = {
        "messages": [
            {"text": "Look"},
            {"attachment": attached("video", url="https://a/v")},
            {
                "attachments": [
                    attached("image", attachment_id="1"),
                    attached("image", url="https://a/i"),
                ]
            },
            {"attachments": attached("image", url="https://a/j")},
        ]
    }
    assert list(media_in(document)) == [
        Media("/messages/1/attachment/payload/url", "video", "https://a/v"),
        Media("/messages/2/attachments/1/payload/url", "image", "https://a/i"),
        Media("/messages/3/attachments/payload/url", "image", "https://a/j"),
    ]


@pytest.mark.parametrize(
    "document",
    [
        {"sender_action": "typing_on"},
        {"message": {"text": "Hello"}},
        {"message": {"attachment": {"type": "like_heart"}}},
        {"message": {"attachment": attached("template", url="https://a/i")}},
    ],
)
def test_request_without_files_has_none(document: dict[str, Any]) -> None:
    assert list(media_in(document)) == []


def test_single_message_is_named_without_a_number() -> None:
    document = {"message": {"attachment": attached("file", url="https://a/f")}}
    assert [media.pointer for media in media_in(document)] == ["/message/attachment/payload/url"]
