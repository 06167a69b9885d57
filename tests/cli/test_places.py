"""A JSON Pointer is found in the text it is about."""

import pytest

from worker.cli.places import Place, place_of

TEXT = b"""\
{
  "id": "a",
  "messages": [
    {"text": "x, \\" {[ y"},
    {
      "text": ""
    }
  ],
  "a/b": {"c~d": 1}, "n": -1.5e3 , "t": true
}
"""


@pytest.mark.parametrize(
    ("pointer", "place"),
    [
        ("", Place(1, 1)),
        ("/id", Place(2, 9)),
        ("/messages", Place(3, 15)),
        ("/messages/0", Place(4, 5)),
        ("/messages/0/text", Place(4, 14)),
        ("/messages/1/text", Place(6, 15)),
        ("/a~1b/c~0d", Place(9, 18)),
        ("/t", Place(9, 41)),
        # What is missing is missing where it would be.
        ("/account_id", Place(1, 1)),
        ("/messages/1/quick_replies", Place(5, 5)),
        ("/messages/7", Place(3, 15)),
        ("/id/deeper", Place(2, 9)),
    ],
)
def test_value_is_found(pointer: str, place: Place) -> None:
    assert place_of(TEXT, pointer) == place


def test_text_that_is_no_json_is_wrong_where_reading_ends() -> None:
    assert place_of(b'{\n  "a": 1,\n  oops\n}', "").line == 3
    assert place_of(b"", "") == Place(1, 1)


def test_empty_containers_hold_nothing() -> None:
    assert place_of(b'{"a": [ ], "b": { }}', "/a/0") == Place(1, 7)
    assert place_of(b'{"a": [ ], "b": { }}', "/b/x") == Place(1, 17)
