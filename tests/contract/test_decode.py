"""Whatever bytes come, decoding ends in a document or in one problem that says what to do."""

import json
from typing import Any

import pytest

from tests.contract.corpus import a_request
from worker.contract.decode import DEEPEST_NESTING, LARGEST_BODY, decode
from worker.core.problem import Problem

_TEN_THOUSAND_DEEP = b"[" * 10_000 + b"]" * 10_000


def _sentence(body: bytes) -> str:
    result = decode(body)
    assert isinstance(result, list)
    assert [problem.pointer for problem in result] == [""]
    return result[0].message


def test_object_is_decoded_as_it_is() -> None:
    request = a_request(metadata={'text with " and : and { ': [1, None, {"é": "\\"}]})
    assert decode(json.dumps(request).encode()) == request
    assert decode(json.dumps(request, ensure_ascii=False, indent=2).encode()) == request


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "is empty; send one JSON object"),
        (b" \r\n\t", "is empty; send one JSON object"),
        (b"[]", "must be one JSON object, not an array"),
        (b'"text"', "must be one JSON object, not a string"),
        (b"17", "must be one JSON object, not a number"),
        (b"1.5", "must be one JSON object, not a number"),
        (b"true", "must be one JSON object, not true or false"),
        (b"null", "must be one JSON object, not null"),
        (b"\xef\xbb\xbf{}", "starts with a byte order mark; send UTF-8 without one"),
        (
            b'{"id": "\xff"}',
            "is not UTF-8: byte 8 cannot be read; encode the body as UTF-8",
        ),
        (
            '{"id": "é"}'.encode("latin-1"),
            "is not UTF-8: byte 8 cannot be read; encode the body as UTF-8",
        ),
        (
            b'{"id": "\xed\xa0\x80"}',
            "is not UTF-8: byte 8 cannot be read; encode the body as UTF-8",
        ),
        (
            b'{"n": NaN}',
            "holds NaN at line 1, column 7, which is not JSON; leave the field out",
        ),
        (
            b'{"n":\n[Infinity]}',
            "holds Infinity at line 2, column 2, which is not JSON; leave the field out",
        ),
        (
            b'{"n": -Infinity}',
            "holds -Infinity at line 1, column 8, which is not JSON; leave the field out",
        ),
        (
            b'{"n": "\\ud83d"}',
            "holds half of a surrogate pair at line 1, column 8; check how the text was cut",
        ),
        (b'{"n": 1e999}', "is not JSON: number is infinity when parsed as double"),
        (b'{"n": 1,}', "is not JSON: trailing comma is not allowed"),
        (b"{'n': 1}", "is not JSON: unexpected character"),
        (b'{"n": 1}{}', "is not JSON: unexpected content after document"),
        (b'{"n": "', "is not JSON: unexpected end of data"),
        (b'{"n": "\\', "is not JSON: "),
        (b"\x1f\x8b\x08\x00", "is not UTF-8: byte 1 cannot be read"),
    ],
)
def test_unreadable_body_ends_in_one_sentence(body: bytes, sentence: str) -> None:
    assert _sentence(body).startswith(sentence)


def test_body_of_ten_megabytes_is_refused_by_its_size() -> None:
    body = b'{"metadata": "' + b"a" * 10_485_744 + b'"}'
    assert _sentence(body) == (
        "is 10485760 bytes; a request may take at most 262144 bytes (256 KiB)"
    )


def test_body_of_exactly_the_largest_size_is_read() -> None:
    body = b'{"a":"' + b"b" * (LARGEST_BODY - 8) + b'"}'
    assert len(body) == LARGEST_BODY
    assert isinstance(decode(body), dict)
    assert "262145 bytes" in _sentence(body + b" ")


@pytest.mark.parametrize(
    "body",
    [
        _TEN_THOUSAND_DEEP,
        b"[" * 10_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"text": "]]]]]}}}}}", "a": ' + _TEN_THOUSAND_DEEP + b"}",
        b'{"text": "\\"", "a": ' + _TEN_THOUSAND_DEEP + b"}",
    ],
)
def test_ten_thousand_deep_json_is_refused_before_it_is_parsed(body: bytes) -> None:
    assert _sentence(body) == (
        f"nests more than {DEEPEST_NESTING} arrays and objects in each other"
    )


def test_nesting_is_allowed_up_to_the_cap() -> None:
    lists = DEEPEST_NESTING - 1
    assert isinstance(decode(b'{"a":' + b"[" * lists + b"]" * lists + b"}"), dict)
    assert "nests" in _sentence(b'{"a":' + b"[" * (lists + 1) + b"]" * (lists + 1) + b"}")


@pytest.mark.parametrize("text", ["[" * 500, "{" * 500, '\\"' + "[" * 500, "[\\\\", '["' * 100])
def test_brackets_in_text_are_no_nesting(text: str) -> None:
    request = a_request(message={"text": text})
    assert decode(json.dumps(request).encode()) == request


def test_many_small_objects_side_by_side_are_no_nesting() -> None:
    document: dict[str, Any] = {"a": [{} for _ in range(5_000)]}
    assert decode(json.dumps(document).encode()) == document


@pytest.mark.parametrize(
    "body",
    [
        b'{"message":{"text":"a"},"message":{"text":"b"}}',
        b'{"message" : 1, "message": 2}',
        b'{"a": [{"message": {"x": 1}, "message": ":"}], "b": ":::"}',
        b'{"a":"\\":","message":1,"message" :2}',
        b'{"message": 1, "mess\\u0061ge": 1}',
    ],
)
def test_field_given_twice_is_refused_since_readers_disagree_which_counts(body: bytes) -> None:
    assert _sentence(body).startswith('gives the field "message" more than once in one object')


def test_name_of_a_repeated_field_is_not_shown_when_it_may_be_text() -> None:
    assert "secret" not in _sentence(b'{"my secret words": 1, "my secret words": 2}')


def test_the_same_name_in_different_objects_is_fine() -> None:
    assert isinstance(decode(b'{"a": {"a": {"a": 1}}, "b": [{"a": 1}, {"a": 2}]}'), dict)


def test_number_beyond_64_bits_does_not_stop_the_decoder() -> None:
    result = decode(b'{"id": ' + b"9" * 300 + b"}")
    assert isinstance(result, dict)
    assert isinstance(result["id"], float)


def test_problem_of_a_body_never_quotes_the_body() -> None:
    for body in (b'{"text": "secret words}', b'{"text": secret words}', b"secret words"):
        assert decode(body) == [Problem("", _sentence(body))]
        assert "secret" not in _sentence(body)
