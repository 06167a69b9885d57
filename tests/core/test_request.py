"""From a valid document to a request and the bodies that go to the API."""

from typing import Any

import pytest

from tests.support.builders import ACCOUNT_ID, PERSON_ID, a_document, a_request
from worker.core.kind import Bucket, Kind
from worker.core.request import Author, Identity, OnUnknown, SendRequest, request_from


def read(**fields: Any) -> SendRequest:
    return request_from(a_document(**fields), fingerprint=b"f")


def test_optional_fields_have_the_documented_defaults() -> None:
    request = read()
    assert request.author is Author.AUTOMATION
    assert request.on_unknown is OnUnknown.VERIFY
    assert (request.last_inbound_at, request.not_before, request.expires_at) == (None, None, None)
    assert request.metadata is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22T10:15:00Z", 1795342500.0),
        ("2026-11-22T12:15:00+02:00", 1795342500.0),
        ("2026-11-22T10:15:00.5Z", 1795342500.5),
        ("2026-11-22T10:15:00.123456789Z", 1795342500.123456),
    ],
)
def test_times_of_any_offset_become_unix_seconds(text: str, moment: float) -> None:
    request = read(last_inbound_at=text, not_before=text, expires_at=text)
    times = [request.last_inbound_at, request.not_before, request.expires_at]
    assert times == pytest.approx([moment] * 3, abs=1e-6)


def test_every_named_choice_is_read() -> None:
    request = read(author="human", on_unknown="resend", metadata={"ticket": 42})
    assert request.author is Author.HUMAN
    assert request.on_unknown is OnUnknown.RESEND
    assert request.metadata == {"ticket": 42}


def test_body_of_a_message_holds_recipient_and_message_and_nothing_else() -> None:
    message = {"text": "hello"}
    [part] = read(message=message).parts
    assert part.body == {"recipient": {"id": PERSON_ID}, "message": message}
    assert (part.kind, part.bucket) == (Kind.TEXT, Bucket.TEXT)


def test_messages_become_parts_in_their_order_each_with_its_own_limit() -> None:
    image = {"attachment": {"type": "image", "payload": {"url": "https://cdn.example.com/a"}}}
    parts = read(messages=[{"text": "one"}, image, {"text": "three"}]).parts
    assert [part.kind for part in parts] == [Kind.TEXT, Kind.IMAGE, Kind.TEXT]
    assert [part.bucket for part in parts] == [Bucket.TEXT, Bucket.MEDIA, Bucket.TEXT]
    assert parts[2].body["message"] == {"text": "three"}


def test_body_of_a_reaction_holds_its_payload() -> None:
    payload = {"message_id": "mid", "reaction": "love"}
    [part] = read(sender_action="react", payload=payload).parts
    assert part.body == {
        "recipient": {"id": PERSON_ID},
        "sender_action": "react",
        "payload": payload,
    }
    assert part.kind is Kind.REACT


def test_body_of_a_plain_action_has_no_payload() -> None:
    [part] = read(sender_action="typing_on").parts
    assert part.body == {"recipient": {"id": PERSON_ID}, "sender_action": "typing_on"}


def test_live_mark_of_a_comment_chooses_the_limit_and_is_not_sent() -> None:
    [part] = read(recipient={"comment_id": "c", "live": True}).parts
    assert part.bucket is Bucket.LIVE_REPLY
    assert part.body["recipient"] == {"comment_id": "c"}


def test_requests_to_one_person_of_one_account_share_a_conversation() -> None:
    assert a_request("1").conversation == a_request("2").conversation
    assert a_request().conversation != a_request(recipient={"id": "other"}).conversation
    assert a_request().conversation != a_request(account_id="1").conversation


def test_conversation_of_a_private_reply_is_not_that_of_a_person_with_the_same_id() -> None:
    reply, direct = a_request(recipient={"comment_id": "7"}), a_request(recipient={"id": "7"})
    assert reply.conversation != direct.conversation
    assert (reply.is_private_reply, direct.is_private_reply) == (True, False)


def test_equal_ids_of_different_accounts_do_not_meet() -> None:
    assert a_request("1").key != a_request("1", account_id="1").key
    assert a_request("1").identity == Identity("1", ACCOUNT_ID)
