"""Long text is cut where a reader would, into pieces that fit, and nothing of it is lost."""

import re
import sys
import unicodedata
from typing import Any

import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.builders import a_document
from worker.core.kind import Kind
from worker.core.request import request_from
from worker.core.splitting import LONGEST_TEXT_BYTES, split, split_text

FAMILY = "👨\u200d👩\u200d👧\u200d👦"
FLAG = "🇩🇪"
ACCENT = "e\u0301"

# Joiners, marks, a skin tone, half of a flag's letters; spaces of all sorts, also such that break
# no line or that not everybody takes for space.
texts = st.text(
    st.sampled_from(
        [
            *"ab.!? \n\r\t",
            *"。」é\xa0\u202f\u3000\u2028\x85\x1c\u200b\u200c\u200d\ufe0f\u0301\u0e33",
            *(FAMILY[0], FLAG[0], FLAG[1], "\U0001f3fd", "\U000e007f"),
        ]
    ),
    max_size=300,
)


def without_space(text: str) -> str:
    return re.sub(r"\s", "", text)


@given(texts, st.integers(20, 200))
@example(FAMILY * 30, 26)
@example("a" * 19 + " \u0301b" + "c" * 30, 20)
@example(" " * 50 + "x", 20)
def test_pieces_fit_and_lose_nothing_but_white_space(text: str, most_bytes: int) -> None:
    pieces = split_text(text, most_bytes=most_bytes)
    assert all(len(piece.encode()) <= most_bytes for piece in pieces)
    assert without_space("".join(pieces)) == without_space(text)
    if len(text.encode()) <= most_bytes:
        assert pieces == [text]
    elif text.strip():
        assert all(piece == piece.strip() and piece for piece in pieces)


@given(st.lists(st.sampled_from([FAMILY, FLAG, ACCENT, "👍🏽", "a", "한"]), max_size=120))
def test_what_a_person_sees_as_one_character_is_not_torn_apart(characters: list[str]) -> None:
    text = "".join(characters)
    pieces = split_text(text, most_bytes=60)
    torn = [found for piece in pieces for found in regex.findall(r"\X", piece)]
    assert torn == regex.findall(r"\X", text)


@given(texts.filter(str.strip), st.integers(60, 200))
def test_every_piece_is_whole_graphemes_but_for_white_space(text: str, most_bytes: int) -> None:
    whole = [each.strip() for each in regex.findall(r"\X", text)]
    if max(len(each.encode()) for each in whole) > 60:
        return
    torn = [
        each.strip() for piece in split_text(text, most_bytes=most_bytes)
        for each in regex.findall(r"\X", piece)
    ]  # fmt: skip
    assert [each for each in torn if each] == [each for each in whole if each]


def test_what_unicode_attaches_to_the_character_before_begins_no_piece() -> None:
    everything = "".join(chr(code) for code in range(sys.maxunicode) if not 0xD800 <= code < 0xE000)
    attached = regex.findall(r"[\p{GCB=Extend}\p{GCB=SpacingMark}\p{GCB=ZWJ}]", everything)
    assert len(attached) > 2000
    # What this Python does not know yet cannot be told by its table.
    known = [each for each in attached if unicodedata.category(each) != "Cn"]
    for each in known:
        pieces = split_text(f"{'a' * 15} {each}{'b' * 9}", most_bytes=20)
        assert not any(piece.startswith(each) for piece in pieces), hex(ord(each))


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("First part.\n\nSecond one. Third", ["First part.", "Second one. Third"]),
        ("One line of text\nand another line", ["One line of text", "and another line"]),
        ("One sentence here. Another one", ["One sentence here.", "Another one"]),
        ("no sentence but some words here", ["no sentence but some", "words here"]),
        ("short a" + "b" * 30, ["short", "a" + "b" * 19, "b" * 11]),
        ("x" * 45, ["x" * 20, "x" * 20, "x" * 5]),
        ("这是句子。这是另一个", ["这是句子。", "这是另一个"]),
        ("「这是句。」这是另一", ["「这是句。」", "这是另一"]),
        ("about 1234567 10\xa0000\u202f€", ["about 1234567", "10\xa0000\u202f€"]),
        ("a" * 19 + "\r\n" + "b", ["a" * 19, "b"]),
        ("a" * 20 + "\r\n\r\n" + "b", ["a" * 20, "b"]),
    ],
)
def test_cuts_at_the_best_place_that_leaves_no_short_piece(text: str, pieces: list[str]) -> None:
    assert split_text(text, most_bytes=20) == pieces


def test_character_that_alone_is_too_long_is_cut() -> None:
    heap = "e" + "\u0301" * 30
    pieces = split_text(heap, most_bytes=20)
    assert "".join(pieces) == heap
    assert len(pieces) == 4


@pytest.mark.parametrize(("sign", "size"), [("a", 1), ("é", 2), ("한", 3), ("👍", 4), (FLAG, 8)])
def test_thousand_bytes_are_one_piece_and_one_sign_more_are_two(sign: str, size: int) -> None:
    fits = 1000 // size
    assert split_text(sign * fits) == [sign * fits]
    assert split_text(sign * (fits + 1)) == [sign * fits, sign]


def test_quick_replies_stay_on_the_last_part_and_other_messages_as_they_are() -> None:
    replies = [{"content_type": "text", "title": "Yes", "payload": "YES"}]
    image = {"attachment": {"type": "image", "payload": {"url": "https://example.com/a.png"}}}
    long = "word " * 300
    parts = split([{"text": long}, image, {"text": long, "quick_replies": replies}])
    assert [sorted(part) for part in parts] == [
        ["text"],
        ["text"],
        ["attachment"],
        ["text"],
        ["quick_replies", "text"],
    ]


@pytest.mark.parametrize(("fields", "count"), [({"split": True}, 3), ({}, 1)])
def test_request_is_split_only_when_it_says_so(fields: dict[str, Any], count: int) -> None:
    text = "word " * 500
    document = a_document(message={"text": text}, **fields)
    request = request_from(document, fingerprint=b"")
    assert len(request.parts) == count
    assert {part.kind for part in request.parts} == {Kind.TEXT}
    sizes = [len(part.body["message"]["text"].encode()) for part in request.parts]
    assert count == 1 or max(sizes) <= LONGEST_TEXT_BYTES
