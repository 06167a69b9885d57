"""What a producer is told: every problem at once, at its place, in a sentence without values."""

import json
from typing import Any

import pytest

from tests.contract.corpus import a_request, examples, variants
from worker.contract.validator import MOST_PROBLEMS, RequestValidator

_VALIDATOR = RequestValidator()


AT_MOST = "Instagram takes at most 1000, or give split: true to have it sent in parts"


def _told(document: Any) -> dict[str, str]:
    problems = _VALIDATOR.problems(document)
    told = {problem.pointer: problem.message for problem in problems}
    assert len(told) == len(problems)
    return told


def test_all_problems_come_at_once_each_at_its_own_place() -> None:
    request = a_request(
        id="", account_id=17841405822304914, recipient={"id": 1}, message={"text": "я" * 501}
    )
    assert _told(request) == {
        "/id": "must be 1 to 128 characters out of A-Z a-z 0-9 . _ : ~ -",
        "/account_id": "must be a string in quotes, not a number",
        "/recipient/id": "must be a string in quotes, not a number",
        "/message/text": f"is 1002 bytes in UTF-8; {AT_MOST}",
    }


def test_splitting_is_advised_only_where_it_is_allowed() -> None:
    reply = a_request(recipient={"comment_id": "1"}, message={"text": "я" * 501})
    assert _told(reply) == {"/message/text": "is 1002 bytes in UTF-8; Instagram takes at most 1000"}


@pytest.mark.parametrize("document", [[], "text", 17, 1.5, True, None])
def test_whatever_is_no_object_is_told_so(document: Any) -> None:
    assert _told(document)[""].startswith("must be an object in braces, not ")


def test_missing_field_is_reported_where_it_should_be() -> None:
    assert _told(a_request(account_id=None)) == {"/account_id": "is missing"}
    reply = a_request(message={"text": "?", "quick_replies": [{"content_type": "text"}]})
    assert _told(reply) == {"/message/quick_replies/0/title": "is missing"}


def test_pointer_escapes_what_rfc_6901_asks_for() -> None:
    # Neither sign makes a plain name, so the parent speaks for the field.
    assert list(_told(a_request(**{"a/b": 1}))) == [""]
    assert list(_told(a_request(**{"a~b": 1}))) == [""]
    assert list(_told(a_request(**{"a.b": 1}))) == ["/a.b"]


def test_unknown_field_names_the_nearest_known_one() -> None:
    assert _told(a_request(expire_at="2026-11-22T18:00:00Z")) == {
        "/expire_at": 'is not a known field; did you mean "expires_at"?'
    }
    assert _told(a_request(Metadata={})) == {
        "/Metadata": 'is not a known field; did you mean "metadata"?'
    }


def test_unknown_field_with_a_strange_name_is_not_repeated() -> None:
    told = _told(a_request(**{"Dear Ada, your order": 1}))
    assert told == {"": "has an unknown field with an unusual name of 20 characters"}


def test_wrong_type_is_the_only_complaint_about_a_value() -> None:
    assert _told(a_request(author=1)) == {"/author": "must be a string in quotes, not a number"}
    assert _told(a_request(message=[])) == {"/message": "must be an object in braces, not an array"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a" * 1000, None),
        ("é" * 500, None),
        ("👋" * 250, None),
        (
            "a" * 199 + "я" * 401,
            f"is 1001 bytes in UTF-8; {AT_MOST}",
        ),
        (
            "👋" * 250 + "a",
            f"is 1001 bytes in UTF-8; {AT_MOST}",
        ),
        (
            "a" * 1001,
            f"is 1001 bytes in UTF-8; {AT_MOST}",
        ),
        ("", "must not be empty"),
        ("\u2003 \n", "is blank; Instagram refuses an empty message"),
    ],
)
def test_text_is_measured_in_bytes(text: str, sentence: str | None) -> None:
    told = _told(a_request(message={"text": text}))
    assert told == ({} if sentence is None else {"/message/text": sentence})
    parts = [{"text": "first"}, {"text": text}]
    told = _told(a_request(message=None, messages=parts))
    assert told == ({} if sentence is None else {"/messages/1/text": sentence})


def test_text_of_1001_bytes_in_600_characters_is_told_its_bytes() -> None:
    text = "a" * 199 + "я" * 401
    assert (len(text), len(text.encode())) == (600, 1001)
    assert list(_told(a_request(message={"text": text}))) == ["/message/text"]


def test_quick_replies_go_on_the_last_message_only() -> None:
    buttons = {"text": "?", "quick_replies": [{"content_type": "text", "title": "Yes"}]}
    assert _told(a_request(message=None, messages=[{"text": "a"}, buttons])) == {}
    told = _told(a_request(message=None, messages=[buttons, buttons, {"text": "a"}]))
    assert list(told) == ["/messages/0/quick_replies", "/messages/1/quick_replies"]


def test_metadata_is_measured_as_compact_json() -> None:
    fits = {"note": "é" * 2042 + "a"}
    assert len(json.dumps(fits, separators=(",", ":"), ensure_ascii=False).encode()) == 4096
    assert _told(a_request(metadata=fits)) == {}
    told = _told(a_request(metadata={"note": fits["note"] + "b"}))
    assert told == {"/metadata": "is 4097 bytes as JSON; at most 4096 are echoed"}


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-22T10:15:00Z",
        "2026-11-22T10:15:00.123456789Z",
        "2024-02-29T23:59:59+14:00",
        "2099-12-31T00:00:00-11:30",
    ],
)
def test_date_with_offset_is_taken(value: str) -> None:
    assert _told(a_request(last_inbound_at=value)) == {}


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-22",
        "2026-11-22 10:15:00Z",
        "2026-11-22T10:15:00",
        "2026-11-22t10:15:00z",
        "2026-11-22T10:15Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T10:15:60Z",
        "2026-02-29T10:15:00Z",
        "2026-11-31T10:15:00Z",
        "1999-11-22T10:15:00Z",
        "0000-11-22T10:15:00Z",
        "2026-11-22T10:15:00+2400",
        "20261122T101500Z",
        "2026-W48-1T10:15:00Z",
        "2026-11-22T10:15:00Z\n",
        "٢٠٢٦-11-22T10:15:00Z",
    ],
)
def test_anything_else_is_no_date(value: str) -> None:
    told = _told(a_request(not_before=value))
    assert list(told) == ["/not_before"]
    assert "2026-11-22T10:15:00Z (RFC 3339" in told["/not_before"]


def test_dates_are_compared_as_moments_not_as_text() -> None:
    request = a_request(not_before="2026-11-22T18:00:00+02:00", expires_at="2026-11-22T17:00:00Z")
    assert _told(request) == {}
    request = a_request(not_before="2026-11-22T17:00:00Z", expires_at="2026-11-22T18:00:00+02:00")
    assert list(_told(request)) == ["/expires_at"]


@pytest.mark.parametrize(
    "url",
    [
        "https://cdn.example.com",
        "https://cdn.example.com:8443/a/b.jpg?x=1&y=%20#z",
        "https://my_bucket.s3.example.com/é/ø.jpg",
        "https://xn--bcher-kva.example/?q=a'b(c)*,;:@[1]",
    ],
)
def test_complete_https_url_is_taken_for_media(url: str) -> None:
    message = {"attachment": {"type": "image", "payload": {"url": url}}}
    assert _told(a_request(message=message)) == {}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https:///a.jpg",
        "cdn.example.com/a.jpg",
        "//cdn.example.com/a.jpg",
        "http://cdn.example.com/",
        "HTTPS://cdn.example.com/",
        "ftp://cdn.example.com/a",
        "data:image/png,a",
        "https://.example.com",
        "https://bücher.example",
        "https://user@cdn.example.com/",
        "https://cdn.example.com:port/",
        "https://cdn.example.com/a b",
        "https://cdn.example.com/a\n",
    ],
)
def test_other_urls_are_not_taken_for_media(url: str) -> None:
    message = {"attachment": {"type": "video", "payload": {"url": url}}}
    assert list(_told(a_request(message=message))) == ["/message/attachment/payload/url"]


def test_page_that_a_person_opens_may_be_http() -> None:
    button = {"type": "web_url", "url": "http://shop.example.com", "title": "Shop"}
    payload = {"template_type": "button", "text": "?", "buttons": [button]}
    assert _told(a_request(message={"attachment": {"type": "template", "payload": payload}})) == {}


def test_long_quick_reply_title_passes_since_instagram_only_cuts_it() -> None:
    button = {"content_type": "text", "title": "A title of more than twenty characters"}
    assert _told(a_request(message={"text": "?", "quick_replies": [button]})) == {}


def test_many_problems_are_cut_and_counted() -> None:
    told = _VALIDATOR.problems(a_request(**{f"field_{number}": 1 for number in range(50)}))
    assert len(told) == MOST_PROBLEMS + 1
    assert (told[-1].pointer, told[-1].message) == ("", "has at least 30 more problems like these")


def test_list_of_a_hundred_thousand_wrong_items_is_told_its_length() -> None:
    told = _told(a_request(message=None, messages=[0] * 100_000))
    assert told["/messages"] == "has 100000 items; at most 10 are allowed"
    assert len(told) <= MOST_PROBLEMS + 1


def test_document_that_no_json_can_carry_is_told_so() -> None:
    endless: dict[str, Any] = {}
    endless["metadata"] = endless
    half_a_pair = a_request(message={"text": "\ud83d"})
    for document in (half_a_pair, {1: 2}, {"\udc00": 1}, a_request(metadata={"n": 2**64}), endless):
        assert list(_told(document)) == [""]
        assert "cannot carry" in _told(document)[""]


@pytest.mark.parametrize("name", examples("valid"))
def test_no_sentence_is_vague_or_quotes_a_value(name: str) -> None:
    for variant in variants(examples("valid")[name]):
        for problem in _VALIDATOR.problems(variant):
            assert "schema" not in problem.message, problem
            assert "é" not in problem.message, problem
            assert problem.message.isascii(), problem
            assert "\n" not in problem.message, problem
            assert len(problem.message) < 250, problem
            assert len(problem.pointer) < 250, problem


def test_sentences_never_hold_the_producers_words() -> None:
    marked = "MARKED7words"
    for example in examples("valid").values():
        for variant in variants(example):
            text = json.dumps(variant).replace('"x"', f'"{marked}"')
            for problem in _VALIDATOR.problems(json.loads(text)):
                assert marked not in problem.pointer + problem.message
