"""What looks like a secret never leaves the process, whoever put it into the line."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import TOKEN
from worker.telemetry.redaction import masked

STARS = b"********"


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        (f"token {TOKEN} refused", b"token ******** refused"),
        (f"\x1b[35m{TOKEN}\x1b[0m", b"\x1b[35m********\x1b[0m"),
        ("IGQVJ" + "x" * 40, STARS),
        ("EAAG" + "x" * 40, STARS),
        ("Authorization: Bearer abc.def-ghi", b"Authorization: Bearer ********"),
        ("authorization: bearer abc", b"authorization: bearer ********"),
        ("AUTHORIZATION: BEARER abc", b"AUTHORIZATION: BEARER ********"),
        ("/me?access_token=abc&fields=id", b"/me?access_token=********&fields=id"),
        ("amqp://user:s3cret@host:5672/v", b"amqp://user:********@host:5672/v"),
        ("amqps://user:p@ss:w@host/v", b"amqps://user:********@host/v"),
        ("redis://:s3cret@host", b"redis://:********@host"),
        ("two: a://u:p@h and b://v:q@i", b"two: a://u:********@h and b://v:********@i"),
    ],
)
def test_secrets_are_masked_and_the_rest_of_the_line_stays(line: str, kept: bytes) -> None:
    assert masked(line.encode()) == kept


@pytest.mark.parametrize(
    "line",
    [
        "the IGSID of IGAAshort",
        "https://cdn.example.com/a:b",
        "amqp://user@host:5672/",
        "http://127.0.0.1:8080/livez",
        "the bearer",
        "17841405822304914 aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlE",
    ],
)
def test_what_is_no_secret_stays_as_it_is(line: str) -> None:
    assert masked(line.encode()) == line.encode()


SECRETS = st.sampled_from([TOKEN, f"Bearer {TOKEN}", f"amqp://u:{TOKEN}@h", f"Bearer\t{TOKEN}"])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(TEXTS, SECRETS, TEXTS)
def test_masked_json_stays_json_and_holds_no_token(before: str, secret: str, after: str) -> None:
    line = masked(orjson.dumps({"a": before + secret + after, "b": 1}))
    assert TOKEN.encode() not in line
    assert orjson.loads(line)["b"] == 1
