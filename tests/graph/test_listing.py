"""What is understood of the documents of the Conversations API, and of nonsense in their place."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.verification import Form, ListedMessage
from worker.graph.listing import conversations_in, messages_in


def listed(*rows: object) -> dict[str, Any]:
    return {"id": "conversation", "messages": {"data": list(rows)}}


def test_message_is_read_as_metas_sample_shows_it() -> None:
    row = {
        "id": "aWdGGiblWZ",
        "created_time": "2022-07-12T19:11:07+0000",
        "to": {"data": [{"username": "shop", "id": "17"}]},
        "from": {"username": "person", "id": "6"},
        "message": "Hi Kitty!",
    }
    expected = ListedMessage("aWdGGiblWZ", 1657653067.0, "6", "Hi Kitty!")
    assert messages_in(listed(row)) == (expected,)


def test_message_without_details_has_none() -> None:
    row = {"id": "aWdGGiblWZ", "created_time": 1657653067}
    assert messages_in(listed(row)) == (ListedMessage("aWdGGiblWZ", 1657653067.0),)


def test_conversation_without_messages_has_none() -> None:
    assert messages_in({"id": "conversation"}) == ()


@pytest.mark.parametrize("row", [None, "aWd", [], {}, {"id": 7, "message": "Hi"}, {"id": ""}])
def test_row_that_makes_no_sense_is_a_blank_message(row: object) -> None:
    assert messages_in(listed(row)) == (ListedMessage(""),)


@pytest.mark.parametrize(
    "details",
    [
        {"from": "6"},
        {"from": {"id": 6}},
        {"from": None},
        {"message": None},
        {"message": ["Hi"]},
        {"created_time": "soon"},
        {"attachments": []},
        {"attachments": {"data": None}},
    ],
)
def test_detail_that_makes_no_sense_is_missing(details: dict[str, object]) -> None:
    assert messages_in(listed({"id": "m", **details})) == (ListedMessage("m"),)


@pytest.mark.parametrize(
    ("attachment", "form"),
    [
        ({"image_data": {"url": "u"}}, Form.IMAGE),
        ({"video_data": {"url": "u"}}, Form.VIDEO),
        ({"generic_template": {"title": "Hat"}}, Form.TEMPLATE),
        ({"mime_type": "audio/mp4", "file_url": "u"}, Form.AUDIO),
        ({"mime_type": "Image/PNG"}, Form.IMAGE),
        ({"mime_type": "audio/mp4", "video_data": {}}, Form.AUDIO),
        ({"mime_type": "application/octet-stream", "video_data": {}}, Form.VIDEO),
        ({"mime_type": "application/pdf", "file_url": "u"}, None),
        ({"mime_type": 7}, None),
        ({"file_url": "u"}, None),
        ({}, None),
        ("https://example.com", None),
    ],
)
def test_form_of_an_attachment_is_told_when_it_is_certain(
    attachment: object, form: Form | None
) -> None:
    row = {"id": "m", "attachments": {"data": [attachment]}}
    assert messages_in(listed(row)) == (ListedMessage("m", attachments=(form,)),)


def test_ids_of_conversations_are_read() -> None:
    rows = [{"id": "aWdfZAG06MTpJR01lc3NhZA=="}, {"id": "t_10158", "updated_time": 5}]
    ids = ("aWdfZAG06MTpJR01lc3NhZA==", "t_10158")
    assert conversations_in({"data": rows}) == ids
    assert conversations_in({"data": []}) == ()


@pytest.mark.parametrize(
    "id", [None, 5, "", "..", "a/b", "a?b", "a#b", "a b", "a%2fb", "é", "a" * 600]
)
def test_id_that_cannot_stand_in_a_path_is_not_used(id: object) -> None:
    assert conversations_in({"data": [{"id": id}]}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "data", "messages", "from", "message", "created_time", "attachments"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_document_is_read_or_is_none(document: object) -> None:
    ids, messages = conversations_in(document), messages_in(document)
    assert ids is None or all("/" not in id for id in ids)
    assert messages is None or all(isinstance(each, ListedMessage) for each in messages)


@given(st.lists(JSON, max_size=4))
def test_every_row_counts_as_a_message(rows: list[object]) -> None:
    messages = messages_in(listed(*rows))
    assert messages is not None
    assert len(messages) == len(rows)
