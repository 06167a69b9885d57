"""From an HTTP answer to a result, by (code, subcode); by status only where nothing else is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.graph_errors import TABLE, UNLISTED, Row, Verdict
from worker.core.graph_reply import MEDIA_ATTEMPTS, Reply, result_of
from worker.core.send_result import CallResult, NotSent, Refused, Scope, Sent, Throttled, Unknown


def an_error_body(code: object, subcode: object = None, **fields: object) -> dict[str, Any]:
    error = {"message": "Lo sentimos", "code": code, "fbtrace_id": "AbC", **fields}
    if subcode is not None:
        error["error_subcode"] = subcode
    return {"error": error}


def judged(
    body: object,
    http_status: int = 400,
    *,
    needs_message_id: bool = True,
    may_have_gone: bool = False,
    retry_after_s: float | None = None,
) -> CallResult:
    reply = Reply(http_status, body, retry_after_s)
    return result_of(reply, needs_message_id=needs_message_id, may_have_gone=may_have_gone)


EXPECTED: dict[Verdict, tuple[type[CallResult], Scope | None]] = {
    Verdict.UNKNOWN: (Unknown, None),
    Verdict.THROTTLED_APP: (Throttled, Scope.APP),
    Verdict.THROTTLED_ACCOUNT: (Throttled, Scope.ACCOUNT),
    Verdict.THROTTLED_CONVERSATION: (Throttled, Scope.CONVERSATION),
    Verdict.ACCOUNT: (Refused, Scope.ACCOUNT),
    Verdict.RECIPIENT: (Refused, Scope.RECIPIENT),
    Verdict.WINDOW: (Refused, Scope.WINDOW),
    Verdict.MESSAGE: (Refused, Scope.MESSAGE),
    Verdict.MEDIA: (NotSent, None),
    Verdict.ALREADY_REPLIED: (Refused, Scope.MESSAGE),
}


@pytest.mark.parametrize("http_status", [200, 400, 403, 500])
@pytest.mark.parametrize(("pair", "row"), TABLE.items(), ids=str)
def test_every_row_gives_its_result_with_any_status(
    pair: tuple[int, int | None], row: Row, http_status: int
) -> None:
    result = judged(an_error_body(*pair), http_status)
    kind, scope = EXPECTED[row.verdict]
    assert type(result) is kind
    assert not isinstance(result, Sent)
    assert result.error.meaning == row.meaning
    assert (result.error.code, result.error.subcode) == pair
    assert (result.error.http_status, result.error.fbtrace_id) == (http_status, "AbC")
    if isinstance(result, Refused | Throttled):
        assert result.scope is scope


def test_success_with_a_message_id_is_sent() -> None:
    body = {"recipient_id": "person", "message_id": "mid"}
    assert judged(body, 200) == Sent("mid", "person")


def test_action_is_sent_without_a_message_id() -> None:
    assert judged({"recipient_id": "person"}, 200, needs_message_id=False) == Sent(None, "person")


@pytest.mark.parametrize(
    "body",
    [{}, {"recipient_id": "person"}, {"message_id": ""}, {"message_id": 7}, {"message_id": None}],
)
def test_success_without_a_message_id_is_unknown(body: dict[str, Any]) -> None:
    assert isinstance(judged(body, 200), Unknown)


def test_action_answered_with_nothing_at_all_is_unknown() -> None:
    assert isinstance(judged({}, 200, needs_message_id=False), Unknown)


@pytest.mark.parametrize("body", [None, [], "<html>", 7, {}, {"ok": True}])
@pytest.mark.parametrize("http_status", [302, 400, 404, 500, 502, 503])
def test_answer_the_api_does_not_document_is_unknown(body: object, http_status: int) -> None:
    result = judged(body, http_status)
    assert isinstance(result, Unknown)
    assert result.error.http_status == http_status


def test_success_that_is_not_json_is_unknown() -> None:
    assert isinstance(judged(None, 200), Unknown)


@pytest.mark.parametrize("body", [None, {}, {"error": {}}, {"error": "slow down"}])
def test_429_without_a_code_throttles_the_account(body: object) -> None:
    result = judged(body, 429, retry_after_s=30.0)
    assert isinstance(result, Throttled)
    assert (result.scope, result.retry_after_s) == (Scope.ACCOUNT, 30.0)


@pytest.mark.parametrize("code", [1, 2, 424242])
def test_429_throttles_the_account_when_its_code_says_nothing_else(code: int) -> None:
    result = judged(an_error_body(code), 429, retry_after_s=30.0)
    assert isinstance(result, Throttled)
    assert (result.scope, result.retry_after_s) == (Scope.ACCOUNT, 30.0)
    assert result.error.code == code


def test_429_with_a_refusal_is_what_its_code_says() -> None:
    result = judged(an_error_body(190), 429)
    assert isinstance(result, Refused)
    assert result.scope is Scope.ACCOUNT


def test_throttle_takes_over_the_wait_that_the_api_asks_for() -> None:
    result = judged(an_error_body(4), retry_after_s=600.0)
    assert isinstance(result, Throttled)
    assert (result.scope, result.retry_after_s) == (Scope.APP, 600.0)


def test_media_that_meta_could_not_fetch_is_tried_again_a_few_times() -> None:
    result = judged(an_error_body(100, 2018008))
    assert isinstance(result, NotSent)
    assert (result.max_attempts, result.refused_as) == (MEDIA_ATTEMPTS, Scope.MESSAGE)


def test_comment_answered_already_is_a_refusal_unless_an_earlier_call_may_have_done_it() -> None:
    body = an_error_body(100, 2534025)
    assert isinstance(judged(body, may_have_gone=False), Refused)
    again = judged(body, may_have_gone=True)
    assert again == Sent(None, None)


def test_code_that_is_not_in_the_table_refuses_the_message_when_the_status_is_4xx() -> None:
    result = judged(an_error_body(424242), 418)
    assert isinstance(result, Refused)
    assert result.scope is Scope.MESSAGE
    assert result.error.meaning == UNLISTED.meaning


@pytest.mark.parametrize("http_status", [200, 500, 503])
def test_code_that_is_not_in_the_table_is_unknown_with_any_other_status(http_status: int) -> None:
    assert isinstance(judged(an_error_body(424242), http_status), Unknown)


@pytest.mark.parametrize("code", ["190", 1.5, True, None, [], 2**63, -(2**70)])
def test_error_without_a_usable_code_is_refused_by_a_4xx_and_else_unknown(code: object) -> None:
    refused = judged(an_error_body(code))
    assert isinstance(refused, Refused)
    assert (refused.scope, refused.error.code) == (Scope.MESSAGE, None)
    assert isinstance(judged(an_error_body(code), 200), Unknown)


def test_unlisted_subcode_of_10_refuses_the_message_and_not_the_whole_account() -> None:
    result = judged(an_error_body(10, 4711))
    assert isinstance(result, Refused)
    assert result.scope is Scope.MESSAGE


def test_odd_subcode_falls_back_to_the_row_of_the_code() -> None:
    result = judged(an_error_body(190, "463"))
    assert isinstance(result, Refused)
    assert (result.scope, result.error.subcode) == (Scope.ACCOUNT, None)


@pytest.mark.parametrize("message", ["Désolé", "申し訳ありません", ""])
def test_language_of_the_api_does_not_matter(message: str) -> None:
    body = an_error_body(10, 2534022, message=message, error_user_msg=message)
    result = judged(body, 403)
    assert isinstance(result, Refused)
    assert result.scope is Scope.WINDOW


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "code", "error_subcode", "message_id", "recipient_id", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(st.integers(100, 599), JSON, st.booleans(), st.booleans())
def test_any_answer_has_a_result_and_only_a_clean_success_counts_as_sent(
    http_status: int, body: object, needs_message_id: bool, may_have_gone: bool
) -> None:
    result = judged(
        body,
        http_status,
        needs_message_id=needs_message_id,
        may_have_gone=may_have_gone,
    )
    if isinstance(result, Sent):
        assert 200 <= http_status < 300
        assert isinstance(body, dict)
        assert body.get("error") is None
        assert result.message_id or not needs_message_id
