"""Filters: what they mean, and how they are written."""

import pytest

from tests.dead.letters import DIED, a_letter
from tests.support.builders import ACCOUNT_ID, NOW, a_document
from worker.clock import SystemClock
from worker.contract.validator import RequestValidator
from worker.core.kind import Kind
from worker.core.reason import Reason
from worker.dead.order import Clerk
from worker.dead.selection import Selection, code_from, moment_from, where_from
from worker.pipeline.read import Reader
from worker.rabbit.names import Names

CLERK = Clerk(Names("ig", 2), Reader(RequestValidator(), SystemClock()))
DOCUMENT = a_document(
    metadata={"campaign": "spring", "step": 2, "tags": ["a", "b"], "is_last": True, "none": None}
)


def where(*texts: str) -> Selection:
    return Selection(where=tuple(map(where_from, texts)))


@pytest.mark.parametrize(
    ("selection", "is_meant"),
    [
        (Selection(), True),
        (Selection(accounts=frozenset({ACCOUNT_ID, "9"})), True),
        (Selection(accounts=frozenset({"9"})), False),
        (Selection(codes=frozenset({(190, None)})), True),
        (Selection(codes=frozenset({(190, 463)})), True),
        (Selection(codes=frozenset({(190, 460), (10, None)})), False),
        (Selection(reasons=frozenset({Reason.ACCOUNT})), True),
        (Selection(reasons=frozenset({Reason.EXPIRED})), False),
        (Selection(ids=frozenset({"order-1"})), True),
        (Selection(ids=frozenset({"order-2"})), False),
        (Selection(kinds=frozenset({Kind.TEXT})), True),
        (Selection(kinds=frozenset({Kind.REACT})), False),
        (Selection(since=DIED), True),
        (Selection(since=DIED + 0.001), False),
        (Selection(until=DIED), False),
        (Selection(until=DIED + 0.001), True),
        (where("metadata.campaign=spring"), True),
        (where("metadata.campaign=spring", "metadata.step=3"), False),
        (where("metadata.step=2", "metadata.tags.1=b"), True),
        (where("metadata.tags.2=b"), False),
        (where("metadata.is_last=true"), True),
        (where("metadata.none=null"), True),
        (where("metadata.missing=null"), False),
        (where("metadata.campaign.deeper=x"), False),
        (where('metadata.tags=["a","b"]'), True),
        (Selection(accounts=frozenset({ACCOUNT_ID}), ids=frozenset({"other"})), False),
    ],
)
def test_letter_is_meant_when_it_matches_every_filter(selection: Selection, is_meant: bool) -> None:
    assert selection.matches(a_letter(DOCUMENT), CLERK.kinds_of) is is_meant


def test_letter_that_does_not_say_when_it_died_matches_no_time() -> None:
    letter = a_letter(headers={"x-igsend-died-at": "yesterday"})
    assert not Selection(since=0.0).matches(letter, CLERK.kinds_of)
    assert not Selection(until=1e12).matches(letter, CLERK.kinds_of)


def test_letter_that_cannot_be_read_has_no_kind_and_nothing_in_its_body() -> None:
    letter = a_letter(b"\xff")
    assert not Selection(kinds=frozenset(Kind)).matches(letter, CLERK.kinds_of)
    assert not where("id=order-1").matches(letter, CLERK.kinds_of)
    assert Selection(accounts=frozenset({ACCOUNT_ID})).matches(letter, CLERK.kinds_of)


def test_only_no_filter_at_all_is_everything() -> None:
    assert Selection().is_everything
    assert not where("id=order-1").is_everything


@pytest.mark.parametrize(("text", "code"), [("190", (190, None)), ("190/463", (190, 463))])
def test_code_is_written_alone_or_with_its_subcode(text: str, code: tuple[int, int | None]) -> None:
    assert code_from(text) == code


@pytest.mark.parametrize("text", ["", "abc", "190/", "/463", "190/463/1", "-1"])
def test_other_codes_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="190/463"):
        code_from(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2h", NOW - 7200),
        ("1.5h", NOW - 5400),
        ("30m", NOW - 1800),
        ("3d", NOW - 259_200),
        ("10s", NOW - 10),
        ("1w", NOW - 604_800),
        ("2026-11-22T10:00:00Z", DIED),
        ("2026-11-22T11:00:00+01:00", DIED),
    ],
)
def test_moment_is_so_long_ago_or_a_date(text: str, moment: float) -> None:
    assert moment_from(text, now=NOW) == moment


@pytest.mark.parametrize("text", ["", "2", "h", "2 years", "2026-11-22", "2026-11-22T10:00:00"])
def test_other_moments_are_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="2026-11-22T10:00:00Z"):
        moment_from(text, now=NOW)


@pytest.mark.parametrize("text", ["", "metadata", "=x", ".a=x", "a..b=x"])
def test_other_conditions_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"metadata\.campaign=spring"):
        where_from(text)


def test_value_of_a_condition_may_hold_anything() -> None:
    assert where_from("a.b=c=d.e") == (("a", "b"), "c=d.e")
