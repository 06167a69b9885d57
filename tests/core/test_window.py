"""The messaging window as a table: who may write, until when, and with which tag."""

from typing import Any

import pytest

from tests.support.builders import NOW, a_document, a_request, an_account
from worker.core.progress import rfc3339
from worker.core.request import Author, request_from
from worker.core.send_result import GraphError, Refused, Scope
from worker.core.window import (
    HOUR_S,
    HUMAN_AGENT_TAG,
    LONG_WINDOW_S,
    SAFETY_MARGIN_S,
    STANDARD_WINDOW_S,
    deadline_of,
    tag_after_refusal,
    tag_for,
    window_closes_at,
)

COMMENT = {"comment_id": "17900"}
PERSON = {"id": "6789012345"}
INBOUND = rfc3339(NOW)
DAY, WEEK = STANDARD_WINDOW_S - SAFETY_MARGIN_S, LONG_WINDOW_S - SAFETY_MARGIN_S

WINDOWS = [
    # recipient, author, approved for human agents, open for
    (PERSON, Author.AUTOMATION, False, DAY),
    (PERSON, Author.AUTOMATION, True, DAY),
    (PERSON, Author.HUMAN, False, DAY),
    (PERSON, Author.HUMAN, True, WEEK),
    (COMMENT, Author.AUTOMATION, False, WEEK),
    (COMMENT, Author.AUTOMATION, True, WEEK),
    (COMMENT, Author.HUMAN, False, WEEK),
    (COMMENT, Author.HUMAN, True, WEEK),
]


@pytest.mark.parametrize(("recipient", "author", "human_agent", "open_s"), WINDOWS)
def test_window_is_as_long_as_meta_says_less_a_margin(
    recipient: dict[str, str], author: Author, human_agent: bool, open_s: float
) -> None:
    request = a_request(recipient=recipient, author=author, last_inbound_at=INBOUND)
    account = an_account(human_agent=human_agent)
    assert window_closes_at(request, account) == NOW + open_s


def test_without_the_last_inbound_time_only_the_api_can_tell() -> None:
    assert window_closes_at(a_request(), an_account()) is None
    assert deadline_of(a_request(), an_account()) is None


def test_unknown_account_has_no_human_agent_feature() -> None:
    request = a_request(author=Author.HUMAN, last_inbound_at=INBOUND)
    assert window_closes_at(request, None) == NOW + DAY


@pytest.mark.parametrize(
    ("expires_s", "deadline_s"), [(HOUR_S, HOUR_S), (DAY, DAY), (48 * HOUR_S, DAY)]
)
def test_deadline_is_whichever_comes_first(expires_s: float, deadline_s: float) -> None:
    request = a_request(last_inbound_at=INBOUND, expires_at=rfc3339(NOW + expires_s))
    assert deadline_of(request, an_account()) == NOW + deadline_s


def test_expiry_alone_is_a_deadline() -> None:
    request = a_request(expires_at=rfc3339(NOW + HOUR_S))
    assert deadline_of(request, None) == NOW + HOUR_S


AGES = [0.0, HOUR_S, DAY, DAY + 0.001, STANDARD_WINDOW_S, 3 * STANDARD_WINDOW_S, WEEK]


@pytest.mark.parametrize("age_s", AGES)
@pytest.mark.parametrize("human_agent", [False, True])
@pytest.mark.parametrize("author", Author)
@pytest.mark.parametrize("recipient", [PERSON, COMMENT])
def test_tag_is_added_only_where_the_standard_window_is_over_and_the_long_one_is_ours(
    recipient: dict[str, str], author: Author, human_agent: bool, age_s: float
) -> None:
    request = a_request(recipient=recipient, author=author, last_inbound_at=INBOUND)
    tag = tag_for(request, an_account(human_agent=human_agent), now=NOW + age_s)
    may = recipient is PERSON and author is Author.HUMAN and human_agent
    assert tag == (HUMAN_AGENT_TAG if may and age_s > DAY else {})


def test_no_tag_when_it_is_not_known_when_the_person_wrote() -> None:
    request = a_request(author=Author.HUMAN)
    assert tag_for(request, an_account(human_agent=True), now=NOW) == {}


def test_tag_is_spelled_as_meta_does() -> None:
    assert HUMAN_AGENT_TAG == {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}


@pytest.mark.parametrize("action", ["typing_on", "mark_seen"])
def test_action_of_a_human_gets_no_tag_and_so_only_the_standard_window(action: str) -> None:
    document = a_document(sender_action=action, author="human", last_inbound_at=INBOUND)
    request = request_from(document, fingerprint=b"")
    account = an_account(human_agent=True)
    assert window_closes_at(request, account) == NOW + DAY
    assert tag_for(request, account, now=NOW + 2 * STANDARD_WINDOW_S) == {}


CLOSED = Refused(Scope.WINDOW, GraphError("closed", 10, 2534022))
NO_PERSON = Refused(Scope.RECIPIENT, GraphError("nobody", 100, 2534014))


@pytest.mark.parametrize(
    ("refused", "author", "human_agent", "age_s", "is_tagged"),
    [
        (CLOSED, Author.HUMAN, True, None, True),
        (CLOSED, Author.HUMAN, True, HOUR_S, True),
        (CLOSED, Author.HUMAN, True, WEEK - 1, True),
        (CLOSED, Author.HUMAN, True, WEEK + 1, False),
        (CLOSED, Author.HUMAN, False, None, False),
        (CLOSED, Author.AUTOMATION, True, None, False),
        (NO_PERSON, Author.HUMAN, True, None, False),
    ],
)
def test_refusal_for_the_window_is_answered_with_the_tag_by_who_may_use_it(
    refused: Refused, author: Author, human_agent: bool, age_s: float | None, is_tagged: bool
) -> None:
    fields: dict[str, Any] = {} if age_s is None else {"last_inbound_at": rfc3339(NOW - age_s)}
    request, account = a_request(author=author, **fields), an_account(human_agent=human_agent)
    tag = tag_after_refusal(refused, request, account, now=NOW)
    assert tag == (HUMAN_AGENT_TAG if is_tagged else {})


def test_only_a_refused_token_may_be_mended_by_another() -> None:
    assert Refused(Scope.ACCOUNT, GraphError("revoked", 190, 460)).is_for_the_token
    assert not Refused(Scope.ACCOUNT, GraphError("no permission", 10)).is_for_the_token
