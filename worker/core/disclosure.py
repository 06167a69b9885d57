"""Telling a person that an automation talks, before it says anything else.

Source: Meta's guide, "Informing Users About Your Automated Experience": at the start of a
conversation, after a significant lapse of time, and when it moves from a person to an automation.
"""

from dataclasses import replace
from hashlib import blake2b

from worker.core.account import Account, Disclosure
from worker.core.kind import Bucket, Kind
from worker.core.progress import Progress
from worker.core.request import Author, Part, SendRequest

# For a text that is in no account's settings any more: no conversation can be searched for it.
_FORGOTTEN = Part(Kind.TEXT, Bucket.TEXT, {"recipient": {}, "message": {}})


def lapse_of(request: SendRequest, account: Account | None) -> float | None:
    """Say how long (seconds) it matters that the request was sent; None if it does not.

    Actions and reactions say nothing, and a private reply is the one message that its comment
    allows: nothing can go before it.
    """
    if account is None or account.disclosure is None:
        return None
    if request.is_action or request.is_private_reply:
        return None
    return account.disclosure.after_s


def is_open(request: SendRequest, progress: Progress, account: Account | None) -> bool:
    """Whether it is still to be decided if a disclosure goes first."""
    return (
        request.author is Author.AUTOMATION
        and not progress.sent
        and lapse_of(request, account) is not None
    )


def is_due(last_author: str | None) -> bool:
    """Decide by who wrote last within the lapse: None when nobody did."""
    return last_author != Author.AUTOMATION


def opening_of(request: SendRequest, account: Account) -> str:
    """Name the text that would go first: its digest."""
    assert account.disclosure is not None, "the decision is open"
    return _digest(text_for(account.disclosure, request.locale))


def preceded(request: SendRequest, account: Account | None, progress: Progress) -> SendRequest:
    """Put the disclosure that `progress` tells of in front of the request's own parts."""
    if progress.disclosure is None or request.disclosure is not None:
        return request
    part = _part(request, account, progress.disclosure)
    return replace(request, parts=(part, *request.parts), disclosure=progress.disclosure)


def text_for(disclosure: Disclosure, locale: str | None) -> str:
    """Choose the text of a locale, or of the nearest that it is a kind of, or that for all others.

    `zh-Hant-TW` takes `zh-Hant` before `zh`; `de-AT` and `de_at` are the same (RFC 4647, Lookup).
    """
    wanted = _plain(locale or "")
    texts = {_plain(name): text for name, text in disclosure.texts.items()}
    while wanted and wanted not in texts:
        wanted = wanted.rpartition("-")[0]
    return texts.get(wanted, disclosure.text)


def _part(request: SendRequest, account: Account | None, digest: str) -> Part:
    if account is None or account.disclosure is None:
        return _FORGOTTEN
    text = text_for(account.disclosure, request.locale)
    if _digest(text) != digest:
        return _FORGOTTEN
    to = request.parts[0].body["recipient"]
    return Part(Kind.TEXT, Bucket.TEXT, {"recipient": to, "message": {"text": text}})


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=6).hexdigest()


def _plain(locale: str) -> str:
    return locale.replace("_", "-").lower()
