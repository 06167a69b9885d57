"""Which listed message is the one in doubt, and what its absence is worth."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import ACCOUNT_ID, NOW, PERSON_ID, TEXT, a_document, a_request
from worker.core.kind import Kind
from worker.core.request import Part, request_from
from worker.core.verification import (
    CLOCK_SKEW_S,
    MOVED_ON,
    WITHOUT_DETAILS,
    Absent,
    Finding,
    Form,
    Found,
    Listed,
    ListedMessage,
    Undecided,
    can_be_verified,
    finding_of,
    moment_of,
)

SECOND = float(int(NOW))
STARTED_AT = SECOND + 0.7
APP_SCOPED_ID = "24000000000000017"


def a_part(message: dict[str, Any] | None = None, **fields: Any) -> Part:
    document = a_document(**fields) if message is None else a_document(message=message, **fields)
    return request_from(document, fingerprint=b"").parts[0]


def media(kind: str) -> Part:
    return a_part({"attachment": {"type": kind, "payload": {"url": f"https://e.org/{kind}"}}})


def template(kind: str) -> Part:
    payload = {"template_type": kind, "text": "Hat", "elements": [{"title": "Hat"}]}
    return a_part({"attachment": {"type": "template", "payload": payload}})


A_TEXT = a_request().parts[0]
AN_IMAGE = media("image")
A_STICKER = a_part({"attachment": {"type": "like_heart"}})
A_POST = a_part({"attachment": {"type": "MEDIA_SHARE", "payload": {"id": "9001"}}})


def a_message(id: str = "mid", *, after_s: float = 1.0, **fields: Any) -> ListedMessage:
    """A text of the account, `after_s` after the second in which the attempt began."""
    message = ListedMessage(id, SECOND + after_s, from_id=ACCOUNT_ID, text=TEXT)
    return replace(message, **fields)


def an_attachment(*forms: Form | None, text: str | None = None) -> ListedMessage:
    return a_message(text=text, attachments=forms)


def find(
    *messages: ListedMessage,
    part: Part = A_TEXT,
    known: tuple[str, ...] = (),
    has_older: bool = False,
) -> Finding:
    listed = Listed(messages, calls=2, has_older=has_older)
    return finding_of(part, listed, started_at=STARTED_AT, known_ids=frozenset(known))


FOUND = Found("mid", PERSON_ID)


def test_same_text_of_the_account_after_the_start_is_the_message() -> None:
    assert find(a_message()) == FOUND


def test_empty_conversation_does_not_have_it() -> None:
    assert find() == Absent()


@pytest.mark.parametrize("from_id", [ACCOUNT_ID, APP_SCOPED_ID])
def test_account_may_be_called_by_either_of_its_ids(from_id: str) -> None:
    assert find(a_message(from_id=from_id)) == FOUND


def test_same_text_written_by_the_person_is_another() -> None:
    assert find(a_message(from_id=PERSON_ID)) == Absent()


@pytest.mark.parametrize("text", [TEXT + " ", TEXT.upper(), "", "Hello"])
def test_other_text_is_another(text: str) -> None:
    assert find(a_message(text=text)) == Absent()


@pytest.mark.parametrize(
    ("after_s", "expected"),
    [
        (0.0, FOUND),
        (-CLOCK_SKEW_S, FOUND),
        (-CLOCK_SKEW_S - 1, Absent()),
        (-3600.0, Absent()),
        (600.0, FOUND),
    ],
)
def test_time_counts_in_whole_seconds_and_clocks_may_differ_a_little(
    after_s: float, expected: Finding
) -> None:
    assert find(a_message(after_s=after_s)) == expected


def test_message_of_another_send_is_no_candidate() -> None:
    assert find(a_message("other"), known=("other",)) == Absent()
    assert find(a_message(after_s=5), a_message("other"), known=("other",)) == FOUND


def test_earliest_of_several_is_taken() -> None:
    later = [a_message(f"mid-{s}", after_s=s) for s in (9, 7)]
    assert find(*later, a_message(after_s=2)) == FOUND
    assert find(a_message(after_s=2), *reversed(later)) == FOUND


def test_of_one_second_the_one_listed_last_is_the_earliest() -> None:
    assert find(a_message("second"), a_message()) == FOUND


def test_full_listing_that_begins_after_the_attempt_says_nothing() -> None:
    newer = [a_message(f"mid-{s}", after_s=s, text="Hello") for s in range(20, 0, -1)]
    assert find(*newer, has_older=True) == Undecided(MOVED_ON)
    assert find(*newer, has_older=False) == Absent()


def test_full_listing_that_reaches_behind_the_attempt_says_that_it_is_absent() -> None:
    newer = [a_message(f"mid-{s}", after_s=s, text="Hello") for s in range(19, 0, -1)]
    assert find(*newer, a_message(after_s=-60), has_older=True) == Absent()


def test_known_message_shows_how_far_a_listing_reaches() -> None:
    old = a_message("old", after_s=-60)
    assert find(old, known=("old",), has_older=True) == Absent()


def test_found_counts_in_a_full_listing_too() -> None:
    assert find(a_message(), has_older=True) == FOUND


@pytest.mark.parametrize(
    "message",
    [
        ListedMessage("mid"),
        ListedMessage("mid", SECOND + 1),
        a_message(created_at=None),
        a_message(from_id=None),
        a_message(text=None),
    ],
    ids=["the id alone", "its time alone", "no time", "from nobody", "no content"],
)
def test_message_without_details_leaves_it_undecided(message: ListedMessage) -> None:
    assert find(message) == Undecided(WITHOUT_DETAILS)
    assert find(message, known=("mid",)) == Absent()


def test_details_that_are_missing_do_not_matter_when_it_is_found_or_cannot_be_it() -> None:
    assert find(ListedMessage("other"), a_message()) == FOUND
    assert find(a_message(text="Hello", created_at=None)) == Absent()
    assert find(ListedMessage("old", SECOND - 60)) == Absent()


def test_picture_is_not_taken_for_a_text() -> None:
    assert find(an_attachment(Form.IMAGE)) == Absent()
    assert find(an_attachment(Form.IMAGE, text=TEXT)) == FOUND


def test_text_is_not_taken_for_a_picture() -> None:
    assert find(a_message(), part=AN_IMAGE) == Absent()


@pytest.mark.parametrize("text", [None, ""])
def test_nothing_at_all_may_be_the_picture(text: str | None) -> None:
    assert find(an_attachment(text=text), part=AN_IMAGE) == Undecided(WITHOUT_DETAILS)


def test_quick_replies_are_found_by_their_text() -> None:
    reply = {"content_type": "text", "title": "Yes", "payload": "YES"}
    part = a_part({"text": TEXT, "quick_replies": [reply]})
    assert find(a_message(), part=part) == FOUND


IMAGES = a_part({"attachments": [{"type": "image", "payload": {"url": "https://e.org/i"}}] * 2})
LISTED_AS: dict[str, tuple[Part, set[Form]]] = {
    "image": (AN_IMAGE, {Form.IMAGE}),
    "images": (IMAGES, {Form.IMAGE}),
    "video": (media("video"), {Form.VIDEO}),
    "audio": (media("audio"), {Form.AUDIO, Form.VIDEO}),
    "file": (media("file"), set()),
    "generic template": (template("generic"), {Form.TEMPLATE}),
    "button template": (template("button"), {Form.TEMPLATE}),
    "post": (A_POST, {Form.IMAGE, Form.VIDEO}),
    "sticker": (A_STICKER, set(Form)),
}


@pytest.mark.parametrize("form", [None, *Form])
@pytest.mark.parametrize("name", LISTED_AS)
def test_attachment_is_found_by_what_it_may_be_listed_as(name: str, form: Form | None) -> None:
    part, forms = LISTED_AS[name]
    expected = FOUND if form is None or form in forms else Absent()
    assert find(an_attachment(form), part=part) == expected


def test_one_attachment_of_another_form_makes_it_another() -> None:
    assert find(an_attachment(Form.IMAGE, None), part=IMAGES) == FOUND
    assert find(an_attachment(Form.IMAGE, Form.VIDEO), part=IMAGES) == Absent()


@pytest.mark.parametrize("kind", Kind)
def test_only_what_leaves_a_message_can_be_verified(kind: Kind) -> None:
    leaves_none = {Kind.REACT, Kind.UNREACT, Kind.TYPING_ON, Kind.TYPING_OFF, Kind.MARK_SEEN}
    assert can_be_verified(replace(A_TEXT, kind=kind)) == (kind not in leaves_none)


def test_private_reply_cannot_be_verified_since_it_names_no_person() -> None:
    assert not can_be_verified(a_part(recipient={"comment_id": "17865799348089039"}))


@pytest.mark.parametrize(
    ("created_time", "expected"),
    [
        ("2022-07-12T19:11:07+0000", 1657653067.0),
        ("2022-07-12T19:11:07+00:00", 1657653067.0),
        ("2022-07-12T21:11:07+0200", 1657653067.0),
        ("2022-07-12T19:11:07Z", 1657653067.0),
        (1657653067, 1657653067.0),
        (1657653067.5, 1657653067.5),
        ("1657653067", 1657653067.0),
        ("1657653067000", None),
        ("20220712", 20220712.0),
        ("2022-07-12T19:11:07", None),
        ("2022-07-12", None),
        ("yesterday", None),
        ("٢٠٢٢", None),
        ("", None),
        ("0", None),
        ("9" * 5000, None),
        (-1, None),
        (10**400, None),
        (float("nan"), None),
        (float("inf"), None),
        (True, None),
        (None, None),
        ({}, None),
    ],
)
def test_either_spelling_of_the_time_is_read(created_time: object, expected: float | None) -> None:
    assert moment_of(created_time) == expected


@given(st.integers(1, 4_000_000_000))
def test_both_spellings_of_a_moment_are_the_same(seconds: int) -> None:
    assert moment_of(seconds) == moment_of(str(seconds)) == seconds


@given(st.text() | st.floats() | st.integers() | st.none())
def test_any_time_is_read_or_not_known(created_time: object) -> None:
    moment = moment_of(created_time)
    assert moment is None or moment < 1e12


LISTINGS = st.lists(
    st.builds(
        ListedMessage,
        st.sampled_from("abcdefgh"),
        st.none() | st.integers(-6, 6).map(lambda after_s: SECOND + after_s),
        st.sampled_from([None, ACCOUNT_ID, APP_SCOPED_ID, PERSON_ID]),
        st.sampled_from([None, "", TEXT, "Hello"]),
        st.sampled_from([(), (None,), (Form.IMAGE,), (Form.VIDEO, Form.IMAGE)]),
    ),
    unique_by=lambda message: message.id,
).map(tuple)
PARTS = st.sampled_from([A_TEXT, AN_IMAGE, A_STICKER, IMAGES])
KNOWN = st.frozensets(st.sampled_from("abcdefgh"))


@given(LISTINGS, PARTS, KNOWN, st.booleans())
def test_found_is_listed_new_enough_and_nobody_elses(
    messages: tuple[ListedMessage, ...], part: Part, known: frozenset[str], has_older: bool
) -> None:
    finding = find(*messages, part=part, known=tuple(known), has_older=has_older)
    if isinstance(finding, Found):
        [message] = [each for each in messages if each.id == finding.message_id]
        assert message.id not in known
        assert message.from_id not in (None, PERSON_ID)
        assert message.created_at is not None
        assert message.created_at >= SECOND - CLOCK_SKEW_S
        assert finding.recipient_id == PERSON_ID


@given(LISTINGS, PARTS, st.booleans())
def test_each_candidate_is_found_once_when_what_was_found_becomes_known(
    messages: tuple[ListedMessage, ...], part: Part, has_older: bool
) -> None:
    created_at = {message.id: message.created_at for message in messages}
    known: list[str] = []
    while isinstance(finding := find(*messages, part=part, known=tuple(known)), Found):
        assert finding.message_id not in known
        known.append(finding.message_id)
    moments = [created_at[id] or 0 for id in known]
    assert moments == sorted(moments)
    after = find(*messages, part=part, known=tuple(known), has_older=has_older)
    assert isinstance(after, Absent | Undecided)


@given(LISTINGS, PARTS)
def test_more_messages_of_the_person_change_nothing(
    messages: tuple[ListedMessage, ...], part: Part
) -> None:
    written = a_message("theirs", from_id=PERSON_ID)
    assert find(*messages, part=part) == find(written, *messages, part=part)
