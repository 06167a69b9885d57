"""Which text tells a person that an automation talks, and before what it goes."""

import pytest

from tests.support.builders import a_request, an_account
from worker.core.account import Account, Disclosure
from worker.core.disclosure import (
    is_due,
    is_open,
    lapse_of,
    opening_of,
    preceded,
    text_for,
)
from worker.core.kind import Bucket, Kind
from worker.core.progress import Progress
from worker.core.request import Author, SendRequest, request_from

TEXTS = {
    "de": "Du schreibst mit unserem Bot.",
    "pt_BR": "Você fala com nosso robô.",
    "zh": "您正在与机器人对话。",
    "zh-Hant": "您正在與機器人對話。",
}
TELLS = Disclosure("You are talking to our bot.", TEXTS, after_s=60.0)
ACCOUNT = Account("17", an_account().token, disclosure=TELLS)
SILENT = an_account()
PRIVATE_REPLY = {"comment_id": "179"}


def an_action() -> SendRequest:
    return request_from(
        {"id": "a", "account_id": "17", "recipient": {"id": "p"}, "sender_action": "typing_on"},
        fingerprint=b"",
    )


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        (None, TELLS.text),
        ("fr", TELLS.text),
        ("de", TEXTS["de"]),
        ("de-AT", TEXTS["de"]),
        ("DE_at", TEXTS["de"]),
        ("pt-br", TEXTS["pt_BR"]),
        ("pt", TELLS.text),
        ("d", TELLS.text),
        ("zh-Hant-TW", TEXTS["zh-Hant"]),
        ("zh_hans_cn", TEXTS["zh"]),
        ("", TELLS.text),
    ],
)
def test_text_is_that_of_the_locale_or_of_its_language(locale: str | None, text: str) -> None:
    assert text_for(TELLS, locale) == text


def test_only_messages_to_a_person_count() -> None:
    assert lapse_of(a_request(), ACCOUNT) == 60.0
    assert lapse_of(a_request(author=Author.HUMAN), ACCOUNT) == 60.0
    assert lapse_of(a_request(recipient=PRIVATE_REPLY), ACCOUNT) is None
    assert lapse_of(an_action(), ACCOUNT) is None
    assert lapse_of(a_request(), SILENT) is None
    assert lapse_of(a_request(), None) is None


def test_it_is_decided_for_automated_messages_of_which_nothing_went() -> None:
    assert is_open(a_request(), Progress(), ACCOUNT)
    assert not is_open(a_request(), Progress(sent=("mid",)), ACCOUNT)
    assert not is_open(a_request(author=Author.HUMAN), Progress(), ACCOUNT)
    assert not is_open(a_request(), Progress(), SILENT)


def test_it_is_due_unless_the_automation_wrote_last() -> None:
    assert is_due(None)
    assert is_due(Author.HUMAN)
    assert not is_due(Author.AUTOMATION)


def test_it_is_a_text_to_the_same_person_before_all_parts() -> None:
    request = a_request(messages=[{"text": "one"}, {"text": "two"}])
    progress = Progress(disclosure=opening_of(request, ACCOUNT))
    whole = preceded(request, ACCOUNT, progress)
    first, *own = whole.parts
    assert (first.kind, first.bucket) == (Kind.TEXT, Bucket.TEXT)
    assert first.body == {"recipient": request.recipient, "message": {"text": TELLS.text}}
    assert tuple(own) == request.parts
    assert (whole.key, whole.fingerprint) == (request.key, request.fingerprint)
    assert preceded(whole, ACCOUNT, progress) is whole
    assert preceded(request, ACCOUNT, Progress()) is request


@pytest.mark.parametrize("account", [None, SILENT, ACCOUNT])
def test_text_that_nobody_knows_any_more_keeps_its_place_and_names_nobody(
    account: Account | None,
) -> None:
    request = a_request()
    whole = preceded(request, account, Progress(disclosure="of an earlier text"))
    assert len(whole.parts) == 2
    assert "id" not in whole.parts[0].body["recipient"]
