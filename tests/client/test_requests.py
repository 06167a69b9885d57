"""Every builder gives what the contract has an example of, and what it takes is valid."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.contract.corpus import examples
from worker.client import (
    Action,
    audio,
    button_template,
    card,
    comment,
    file,
    generic_template,
    image,
    images,
    link_button,
    mark_seen,
    postback_button,
    published_post,
    quick_reply,
    quick_reply_email,
    quick_reply_phone,
    react,
    request,
    sticker,
    text,
    typing_off,
    typing_on,
    unreact,
    uploaded_image,
    video,
)
from worker.client.messages import Message
from worker.client.prepared import prepared

ACCOUNT, PERSON = "17841405822304914", "1254477777772919"
PDF, PHOTO = "https://cdn.example.com/a.pdf", "https://cdn.example.com/a.png"
BUTTONS = (link_button("View website", "https://shop.example.com/"), postback_button("Go", "GO"))


@pytest.mark.parametrize(
    "content",
    [
        text("Hello"),
        text("https://shop.example.com/"),
        text("Size?", quick_replies=[quick_reply("S", "SIZE_S"), quick_reply("M")]),
        text("How do we reach you?", quick_replies=[quick_reply_phone(), quick_reply_email()]),
        image(PHOTO),
        uploaded_image("1745504518999123"),
        images(PHOTO, PHOTO),
        audio("https://cdn.example.com/a.m4a"),
        video("https://cdn.example.com/a.mp4"),
        file(PDF),
        sticker(),
        published_post("17895695668004550"),
        generic_template(card("Hats", subtitle="For all", image_url=PHOTO, opens=PDF)),
        generic_template(*(card(f"{n}", buttons=BUTTONS) for n in range(10))),
        button_template("What next?", *BUTTONS),
        react("mid.1"),
        react("mid.1", "👍"),
        unreact("mid.1"),
        typing_on(),
        typing_off(),
        mark_seen(),
    ],
)
def test_each_builder_gives_a_valid_request(content: Message | Action) -> None:
    assert prepared(request(ACCOUNT, PERSON, content)).account_id == ACCOUNT


@pytest.mark.parametrize(
    ("example", "built"),
    [
        ("text", lambda e: [text(e["message"]["text"])]),
        ("sticker", lambda _: [sticker()]),
        ("image-by-upload-id", lambda _: [uploaded_image("1745504518999123")]),
        ("published-post", lambda _: [published_post("17895695668004550")]),
        ("typing-on", lambda _: [typing_on()]),
        ("mark-seen", lambda _: [mark_seen()]),
        ("react", lambda e: [react(e["payload"]["message_id"])]),
        ("unreact", lambda e: [unreact(e["payload"]["message_id"])]),
        ("messages", lambda e: e["messages"]),
        (
            "button-template",
            lambda e: [
                button_template(
                    "What do you want to do next?",
                    link_button("View website", "https://shop.example.com/"),
                    postback_button("Start chatting", "START_CHAT"),
                )
            ],
        ),
        (
            "generic-template",
            lambda _: [
                generic_template(
                    card(
                        "Welcome!",
                        subtitle="We have the right hat for everyone.",
                        image_url="https://cdn.example.com/hat.jpg",
                        opens="https://shop.example.com/hats",
                        buttons=[
                            link_button("View website", "https://shop.example.com/"),
                            postback_button("Start chatting", "START_CHAT"),
                        ],
                    )
                )
            ],
        ),
    ],
)
def test_builders_give_the_examples_of_the_schemas(example: str, built: Any) -> None:
    document = examples("valid")[example]
    assert document == request(
        document["account_id"],
        document["recipient"]["id"],
        *built(document),
        **{k: v for k, v in document.items() if k in {"id", "metadata", "last_inbound_at"}},
    )


def test_several_messages_are_parts_of_one_request_in_order() -> None:
    document = request(ACCOUNT, PERSON, text("one"), sticker(), text("three"))
    assert document["messages"] == [text("one"), sticker(), text("three")]
    assert prepared(document)


def test_comment_is_answered_by_a_private_reply() -> None:
    assert request(ACCOUNT, comment("1", live=True), text("a"))["recipient"] == {
        "comment_id": "1",
        "live": True,
    }
    assert prepared(request(ACCOUNT, comment("17865799348089039"), text("Thank you!")))


def test_every_field_goes_into_the_request_and_moments_carry_their_zone() -> None:
    moment = datetime(2026, 11, 22, 10, 15, tzinfo=UTC)
    document = request(
        ACCOUNT,
        PERSON,
        text("Hello"),
        id="order-1",
        author="human",
        locale="de-AT",
        last_inbound_at=moment,
        not_before=moment,
        expires_at=moment.replace(hour=18),
        on_unknown="hold",
        metadata={"ticket": 42},
        split=True,
    )
    assert document["expires_at"] == "2026-11-22T18:15:00+00:00"
    assert prepared(document).id == "order-1"
    assert set(document) == {
        *("id", "account_id", "recipient", "message", "author", "locale", "last_inbound_at"),
        *("not_before", "expires_at", "on_unknown", "metadata", "split"),
    }


def test_requests_without_an_id_get_different_ones() -> None:
    assert len({request(ACCOUNT, PERSON, text("Hello"))["id"] for _ in range(100)}) == 100


def test_moment_without_a_zone_and_an_action_in_company_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="expires_at has no time zone"):
        request(ACCOUNT, PERSON, text("Hello"), expires_at=datetime.fromisoformat("2026-11-22"))
    with pytest.raises(ValueError, match="typing_on is a sender action and goes alone"):
        request(ACCOUNT, PERSON, typing_on(), text("Hello"))
