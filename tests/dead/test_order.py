"""What a replay makes of one letter: the request that goes, or the reason why it stays."""

from typing import Any

import orjson
import pytest

from tests.dead.letters import a_letter
from tests.support.builders import ACCOUNT_ID, NOW, a_document
from worker.clock import SystemClock
from worker.contract.validator import RequestValidator
from worker.core.delivery import Lane
from worker.core.progress import progress_from
from worker.core.reason import Reason
from worker.core.replay import Doubt, Replay
from worker.dead.letter import Letter
from worker.dead.order import (
    Clerk,
    EditFailed,
    Going,
    Order,
    Skipped,
    Why,
    operator_name,
    patch_from,
)
from worker.pipeline.read import Reader
from worker.rabbit.names import Names
from worker.rabbit.wire.properties import read_properties

CLERK = Clerk(Names("ig", 2), Reader(RequestValidator(), SystemClock()))
BATCH = "20261123T101500-7f3a"
ORDER = Order(BATCH, "ada")
REQUESTED = {"op": "replace", "path": "/message/text", "value": "anew"}


def an_order(**fields: Any) -> Order:
    return Order(BATCH, "ada", **fields)


def decided(letter: Letter, order: Order = ORDER) -> Going | Skipped:
    return CLERK.decide(letter, order, now=NOW)


def going(letter: Letter, order: Order = ORDER) -> Going:
    decision = decided(letter, order)
    assert isinstance(decision, Going), decision
    return decision


def skipped(letter: Letter, order: Order = ORDER) -> Skipped:
    decision = decided(letter, order)
    assert isinstance(decision, Skipped), decision
    return decision


def headers_of(what: Going) -> dict[str, object]:
    header = what.header.encode(message_id="fresh", size=len(what.body))
    return dict(read_properties(header).headers)


def test_request_goes_as_it_was_with_its_progress_and_who_replays_it() -> None:
    letter = a_letter(
        a_document(messages=[{"text": "first"}, {"text": "second"}]),
        headers={
            "tenant": 7,
            "x-igsend-sent-parts": '["mid-1"]',
            "x-igsend-recipient-id": "99",
            "x-igsend-first-seen": "2026-11-22T09:00:00Z",
            "x-death": [],
            "x-delivery-count": 3,
        },
        correlation_id="theirs",
    )
    what = going(letter)
    assert (what.id, what.account_id, what.exchange) == ("order-1", ACCOUNT_ID, "ig.bulk")
    assert what.body == letter.body
    assert headers_of(what) == {
        "tenant": 7,
        "x-igsend-reason": "account",
        "x-igsend-sent-parts": '["mid-1"]',
        "x-igsend-recipient-id": "99",
        "x-igsend-replay-batch": BATCH,
        "x-igsend-replay-count": 1,
        "x-igsend-replay-by": "ada",
    }


def test_worker_reads_the_replay_that_was_ordered() -> None:
    before = Replay("earlier", 4, "grace", doubt=Doubt.VERIFY)
    letter = a_letter(headers=before.headers())
    progress = progress_from(headers_of(going(letter)))
    assert not hasattr(progress, "pointer"), progress
    assert getattr(progress, "replay", None) == Replay(BATCH, 5, "ada")
    assert getattr(progress, "attempts", None) == 0


def test_interactive_lane_is_another_exchange() -> None:
    assert going(a_letter(), an_order(lane=Lane.INTERACTIVE)).exchange == "ig.requests"


@pytest.mark.parametrize("body", [b"\xff", b"{}", orjson.dumps(a_document(account_id="x"))])
def test_what_todays_schemas_refuse_stays(body: bytes) -> None:
    assert skipped(a_letter(body)).why is Why.INVALID


def test_progress_headers_that_are_not_ours_keep_a_letter_where_it_is() -> None:
    assert skipped(a_letter(headers={"x-igsend-replay-count": -1})).why is Why.INVALID


def test_letter_of_a_version_that_this_tool_does_not_know_stays_and_says_so() -> None:
    stays = skipped(a_letter(type="igsend.request.v2"))
    assert stays.why is Why.INVALID
    assert "igsend.request.v2" in stays.detail


@pytest.mark.parametrize(
    ("type_", "sent_as"),
    [
        ("igsend.request.v2", "igsend.request.v1"),
        ("igsend.request.v1", "igsend.request.v1"),
        ("crm.message", "crm.message"),
    ],
)
def test_edited_request_goes_as_the_version_it_was_checked_by(type_: str, sent_as: str) -> None:
    what = going(a_letter(type=type_), an_order(edit=[REQUESTED]))
    header = what.header.encode(message_id="m", size=len(what.body))
    assert read_properties(header).type == sent_as


@pytest.mark.parametrize(
    "fields",
    [
        {"expires_at": "2026-11-01T00:00:00Z"},
        {"last_inbound_at": "2026-11-01T00:00:00Z", "author": "automation"},
        {"last_inbound_at": "2026-11-01T00:00:00Z", "author": "human"},
    ],
)
def test_request_whose_time_has_passed_stays_and_says_since_when(fields: dict[str, str]) -> None:
    stays = skipped(a_letter(a_document(**fields)))
    assert stays.why is Why.TOO_LATE
    assert stays.detail.startswith("it had to be sent before 2026-11-")


@pytest.mark.parametrize(
    ("reason", "headers", "expected"),
    [
        (Reason.UNCONFIRMED, {}, "verify"),
        (Reason.EXHAUSTED, {"x-igsend-unknown-since": "2026-11-22T10:00:00Z"}, "verify"),
        (Reason.ACCOUNT, {}, None),
    ],
)
def test_only_letters_in_doubt_carry_what_to_do_about_it(
    reason: Reason, headers: dict[str, object], expected: str | None
) -> None:
    what = going(a_letter(reason=reason, headers=headers), an_order(doubt=Doubt.VERIFY))
    assert headers_of(what).get("x-igsend-replay-doubt") == expected


def test_edited_request_has_an_id_of_its_own_that_names_the_old_one() -> None:
    what = going(a_letter(), an_order(edit=[REQUESTED]))
    document = orjson.loads(what.body)
    assert document["id"] == what.id == f"order-1~{BATCH}"
    assert document["message"]["text"] == "anew"
    assert headers_of(what)["x-igsend-replay-of"] == "order-1"


def test_patch_may_set_the_id() -> None:
    patch = [REQUESTED, {"op": "replace", "path": "/id", "value": "order-1-again"}]
    assert going(a_letter(), an_order(edit=patch)).id == "order-1-again"


def test_long_id_is_cut_so_that_the_batch_fits() -> None:
    what = going(a_letter(a_document(id="o" * 128)), an_order(edit=[REQUESTED]))
    assert len(what.id) == 128
    assert what.id.endswith(f"o~{BATCH}")


def test_two_edited_letters_without_an_id_get_two() -> None:
    document = a_document()
    del document["id"]
    found = {going(a_letter(document), an_order(edit=[REQUESTED])).id for _ in range(2)}
    assert len(found) == 2
    assert all(each.endswith(f"~{BATCH}") for each in found)


def test_id_that_was_what_is_wrong_is_not_carried_along() -> None:
    patch = [{"op": "replace", "path": "/id", "value": "better"}]
    what = going(a_letter(a_document(id="not an id!")), an_order(edit=patch))
    assert what.id == "better"
    assert "x-igsend-replay-of" not in headers_of(what)


def test_edited_request_is_checked_as_every_other() -> None:
    patch = [{"op": "replace", "path": "/message", "value": {}}]
    assert skipped(a_letter(), an_order(edit=patch)).why is Why.INVALID


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/missing"},
        {"op": "test", "path": "/id", "value": "another"},
        {"op": "replace", "path": "/message/text/deeper", "value": 1},
        {"op": "replace", "path": "", "value": []},
    ],
)
def test_letter_that_the_patch_does_not_fit_stays(operation: dict[str, Any]) -> None:
    assert skipped(a_letter(), an_order(edit=[operation])).why is Why.UNCHANGED


@pytest.mark.parametrize("body", [b"\xff", b"[]", b"{}"])
def test_letter_that_is_no_object_cannot_be_edited(body: bytes) -> None:
    assert skipped(a_letter(body), an_order(edit=[REQUESTED])).why is Why.UNCHANGED


def test_letter_stays_as_it_was_when_its_replay_is_edited() -> None:
    letter = a_letter()
    going(letter, an_order(edit=[REQUESTED]))
    assert letter.document == a_document()


@pytest.mark.parametrize("text", ["", "{", "{}", "7", '["x"]', '[{"op": "fly", "path": "/"}]'])
def test_what_is_no_patch_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(EditFailed):
        patch_from(text)


def test_operators_name_fits_its_header() -> None:
    assert operator_name("") == "unknown"
    assert operator_name("ø" * 40) == "ø" * 32
