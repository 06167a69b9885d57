"""A secret shows itself only when asked by name."""

import copy
import json
import logging
import pickle
import traceback
from dataclasses import asdict, dataclass
from typing import Any

import orjson
import pytest

from tests.support.builders import TOKEN, an_account
from worker.core.secret import Secret


@dataclass(frozen=True)
class Holder:
    token: Secret


def test_secret_shows_stars_in_every_way_of_printing() -> None:
    secret = Secret(TOKEN)
    printed = [str(secret), repr(secret), f"{secret}", f"{secret!r}", f"{secret:>40}"]
    printed += ["%s" % secret, "%r" % (secret,), ascii(secret), "{0}".format(secret)]  # noqa: UP030, UP031, UP032  # old ways to print are ways too
    printed.append(logging.makeLogRecord({"msg": "%s", "args": (secret,)}).getMessage())
    assert all(TOKEN not in text and "****" in text for text in printed)


def test_secret_stays_hidden_inside_other_values() -> None:
    assert TOKEN not in repr([Holder(Secret(TOKEN)), an_account()])
    assert TOKEN not in repr(asdict(Holder(Secret(TOKEN))))


def test_secret_is_revealed_by_name() -> None:
    assert Secret(TOKEN).reveal == TOKEN


@pytest.mark.parametrize(
    "write",
    [
        *(lambda value, n=n: pickle.dumps(value, n) for n in range(pickle.HIGHEST_PROTOCOL + 1)),
        json.dumps,
        orjson.dumps,
        vars,
    ],
)
@pytest.mark.parametrize("value", [Secret(TOKEN), {"a": [Secret(TOKEN)]}], ids=["bare", "inside"])
def test_secret_is_written_by_nothing(write: Any, value: object) -> None:
    with pytest.raises(TypeError) as refusal:
        write(value)
    assert TOKEN not in "".join(traceback.format_exception(refusal.value))


def test_dataclass_that_holds_a_secret_is_not_written_with_it() -> None:
    with pytest.raises(TypeError):
        orjson.dumps(Holder(Secret(TOKEN)))
    with pytest.raises(TypeError):
        pickle.dumps(an_account())


def test_copies_are_the_secret_itself() -> None:
    secret = Secret(TOKEN)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_secret_does_not_change() -> None:
    secret = Secret(TOKEN)
    with pytest.raises(AttributeError, match="cannot be changed"):
        secret.reveal = "other"
    with pytest.raises(AttributeError, match="cannot be changed"):
        del secret.reveal
    assert secret.reveal == TOKEN


@pytest.mark.parametrize("other", ["x", "", TOKEN + "x", TOKEN[:-1], "é", "\ud800"])
def test_secrets_are_equal_when_their_texts_are(other: str) -> None:
    secret = Secret(TOKEN)
    assert secret == Secret(TOKEN)
    assert hash(secret) == hash(Secret(TOKEN))
    assert secret != Secret(other)
    assert Secret(other) == Secret(other)
    assert secret != TOKEN, "a text is no secret"
