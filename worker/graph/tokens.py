"""What the API says of a token: whose it is, what it may do, and a new one for it.

A refresh is the one call with the token in its URL, because Meta documents no other way. So
nothing of such a call leaves this module but core values: no exception, no URL.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import aiohttp
from yarl import URL

from worker.core.account import Account
from worker.core.graph_errors import PERMISSION_CODES
from worker.core.graph_reply import Reply, result_of
from worker.core.secret import Secret
from worker.core.send_result import GraphError, NotSent, Refused, Throttled, Unknown
from worker.core.token_life import Fresh
from worker.graph.answer import AnswerTooLargeError, read_body, reply_from
from worker.graph.client import DNS_TTL_S, USER_AGENT, GraphClient

_UNREADABLE = "the API's answer is not one it documents"
# "Permission denied" in its spellings.
_PERMISSION_CODES = frozenset({3, 10, *PERMISSION_CODES})


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose token it is. `user_id` is the id of paths and webhooks, `app_scoped_id` another."""

    user_id: str | None
    app_scoped_id: str | None
    username: str | None


async def holder_of(graph: GraphClient, account: Account) -> Holder | GraphError:
    """Ask whose token the account has."""
    reply = await graph.read(account, "me", {"fields": "id,user_id,username"})
    document = _document(reply)
    if isinstance(document, GraphError):
        return document
    return Holder(*(_text(document.get(name)) for name in ("user_id", "id", "username")))


async def may_message(graph: GraphClient, account: Account) -> bool | GraphError:
    """Ask for something that needs the permission for messages; GraphError if that tells nothing.

    The API has no list of what a token may do, and this reads nobody's messages.
    """
    query = {"platform": "instagram"}
    found = _document(await graph.read(account, f"{account.id}/conversations", query))
    if not isinstance(found, GraphError):
        return True
    return False if found.code in _PERMISSION_CODES else found


class Refresher:
    """Asks for new tokens. Enter it as a context first."""

    def __init__(
        self, root: str, *, timeout_s: float, now: Callable[[], float] = time.time
    ) -> None:
        self._url = URL(root) / "refresh_access_token"
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._now = now
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ttl_dns_cache=DNS_TTL_S, resolver=aiohttp.ThreadedResolver()
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            headers={
                "User-Agent": USER_AGENT,
                "Accept": "application/json",
                "Accept-Encoding": "identity",
            },
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def refreshed(self, token: Secret) -> Fresh | GraphError:
        """Ask once for a new token. Without an answer there may be one that nobody knows."""
        asked_at = self._now()
        query = {"grant_type": "ig_refresh_token", "access_token": token.reveal}
        try:
            reply = await self._call(self._url.with_query(query))
        except (aiohttp.ClientError, AnswerTooLargeError, OSError, TimeoutError) as error:
            # Its text may quote the URL.
            return GraphError(f"the API gave no answer ({type(error).__name__})")
        document = _document(reply)
        if isinstance(document, GraphError):
            return document
        fresh, lasts_s = _text(document.get("access_token")), _number(document.get("expires_in"))
        if fresh is None:
            return GraphError(_UNREADABLE, http_status=reply.http_status)
        return Fresh(Secret(fresh), asked_at + lasts_s if lasts_s > 0 else None)

    async def _call(self, url: URL) -> Reply:
        assert self._session is not None, "it was entered"
        async with self._session.get(url, allow_redirects=False, timeout=self._timeout) as answer:
            return reply_from(answer, await read_body(answer.content), now=self._now())


def _document(reply: Reply | GraphError) -> Mapping[str, Any] | GraphError:
    """Give the body of a success, or what the API said instead."""
    if isinstance(reply, GraphError):
        return reply
    is_document = isinstance(reply.body, Mapping) and "error" not in reply.body
    if is_document and reply.http_status == 200:
        return reply.body  # type: ignore[return-value]  # Reply leaves it open what a body is
    match result_of(reply, needs_message_id=True):
        case Refused(error=error) | Throttled(error=error) if error.code is not None:
            return error
        case NotSent(error=error) | Unknown(error=error) if error.code is not None:
            return error
    return GraphError(_UNREADABLE, http_status=reply.http_status)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> float:
    """Give a number of seconds; 0 for what is none, or absurd."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return 0.0
    return float(value) if 0 < value < 10**9 else 0.0
