"""The books say what is wrong, and nothing when nothing is."""

from collections.abc import Mapping, Sequence

import pytest

from tests.chaos.books import Books, Letters, balance
from tests.chaos.requests import Wanted
from tests.replicas.evidence import Evidence, Seen

ACCOUNT = "1784"


def wanted(name: str, *, parts: int = 1) -> Wanted:
    return Wanted(name, name.partition("-")[0], ACCOUNT, 5, parts, ())


def call(name: str | None, part: int | None = 0, *, accepted: bool = True) -> Seen:
    recipient = wanted("text-0").recipient_id
    return Seen(ACCOUNT, recipient, "text", name, part, 1.0, 1.1, accepted, 200)


def books(
    asked: Wanted,
    *calls: Seen,
    dead: Sequence[str] = (),
    said: Sequence[str] = ("sent",),
    left: Mapping[str, int] | None = None,
) -> Books:
    letters = Letters({asked.name: dead} if dead else {}, left or {})
    return balance([asked], Evidence(calls, ()), letters, {asked.name: said})


def test_sent_once_and_said_so_balances() -> None:
    found = books(wanted("parts-1", parts=2), call("parts-1", 0), call("parts-1", 1))
    assert found.are_balanced
    assert found.sent == 1


def test_a_reaction_is_known_by_its_person() -> None:
    assert books(wanted("reaction-1"), call(None, None)).are_balanced


def test_a_dead_letter_that_was_announced_balances() -> None:
    found = books(wanted("text-1"), dead=["exhausted"], said=["failed:exhausted"])
    assert found.are_balanced
    assert found.dead == {"exhausted": 1}


def test_a_dead_letter_with_a_twin_is_counted_and_no_trouble() -> None:
    found = books(wanted("text-1"), dead=["expired"] * 2, said=["failed:expired"] * 2)
    assert found.are_balanced
    assert found.twins == 1


@pytest.mark.parametrize("calls", [(), (call("text-1"),)])
def test_unconfirmed_balances_whether_it_went_or_not(calls: tuple[Seen, ...]) -> None:
    found = books(wanted("text-1"), *calls, dead=["unconfirmed"], said=["held:unconfirmed"])
    assert found.are_balanced
    assert found.taken_in_doubt == len(calls)


@pytest.mark.parametrize(
    ("found", "trouble"),
    [
        (books(wanted("text-1"), call("text-1", accepted=False)), "lost"),
        (books(wanted("parts-1", parts=2), call("parts-1", 0)), "lost"),
        (books(wanted("text-1"), call("text-1"), call("text-1")), "accepted twice"),
        (
            books(wanted("text-1"), call("text-1"), dead=["expired"], said=["failed:expired"]),
            "sent and dead",
        ),
        (books(wanted("bad-1", parts=0), call("bad-1"), said=["sent"]), "not what was wanted"),
        (books(wanted("text-1"), call("text-1"), said=()), "no outcome"),
        (books(wanted("text-1"), call("text-1"), said=["failed:invalid"]), "outcome contradicts"),
        (
            books(wanted("text-1"), dead=["expired", "account"], said=["failed:expired"]),
            "dead for two reasons",
        ),
        (books(wanted("text-1"), call("text-1"), left={"ig.delay.00": 1}), "left in a queue"),
    ],
)
def test_what_is_wrong_has_a_name(found: Books, trouble: str) -> None:
    assert trouble in found.troubles
    assert not found.are_balanced


def test_a_dead_letter_of_nobody_is_trouble() -> None:
    found = balance([], Evidence((), ()), Letters({"text-9": ["invalid"]}), {})
    assert found.troubles == {"dead letter of nobody": ["text-9"]}
