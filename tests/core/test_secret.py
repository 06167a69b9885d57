"""A secret shows itself only when asked by name."""

from dataclasses import dataclass

from tests.support.builders import TOKEN, an_account
from worker.core.secret import Secret


@dataclass(frozen=True)
class Holder:
    token: Secret


def test_secret_shows_stars_in_every_way_of_printing() -> None:
    secret = Secret(TOKEN)
    printed = [str(secret), repr(secret), f"{secret}", f"{secret!r}"]
    assert all(TOKEN not in text and "****" in text for text in printed)


def test_secret_stays_hidden_inside_other_values() -> None:
    assert TOKEN not in repr([Holder(Secret(TOKEN)), an_account()])


def test_secret_is_revealed_by_name() -> None:
    assert Secret(TOKEN).reveal == TOKEN
