"""The benchmark writes its own part of the page and no other; requests are wrapped whole."""

import pytest

from tests.bench.contenders import CONTENDERS
from tests.bench.document import PAGE, rewritten
from tests.bench.messages import bodies, to_celery, to_dramatiq, to_igsend, to_taskiq
from tests.bench.play import rotated
from tests.replicas.work import account_ids

_PAGE = "# Title\n<!-- bench:begin -->\nold\n<!-- bench:end -->\n\n## Mine\n"


def test_only_what_is_between_the_markers_is_replaced() -> None:
    page = rewritten(_PAGE, "new \\1")
    assert page == _PAGE.replace("old", "new \\1")


def test_writing_twice_changes_nothing_more() -> None:
    once = rewritten(_PAGE, "new")
    assert rewritten(once, "new") == once


@pytest.mark.parametrize("page", ["# Title\n", _PAGE + _PAGE])
def test_a_page_without_a_place_for_it_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="bench:begin"):
        rewritten(page, "new")


def test_the_page_of_this_project_has_the_place() -> None:
    assert "new" in rewritten(PAGE.read_text(), "new")


def test_each_contender_begins_a_round() -> None:
    count = len(CONTENDERS)
    assert {rotated(CONTENDERS, number)[0].name for number in range(count)} == {
        contender.name for contender in CONTENDERS
    }


def test_every_envelope_holds_the_request_itself() -> None:
    (request,) = bodies(account_ids(1), 1, run="run")
    for wrap in (to_celery, to_dramatiq, to_igsend, to_taskiq):
        letter = wrap("queue", request)
        assert request in letter.body
        assert letter.frames().endswith(letter.body + b"\xce")
