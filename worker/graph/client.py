"""One POST to the messages endpoint, or one GET; library failures become core values here."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Self

import aiohttp
import orjson
from yarl import URL

from worker import __version__
from worker.config import Config
from worker.core.account import Account
from worker.core.graph_reply import Reply, result_of
from worker.core.kind import answers_with_message_id, is_fetched_by_meta
from worker.core.request import Part
from worker.core.send_result import GraphError, Missed, NotSent, Scope, SendResult
from worker.graph.answer import read_body, reply_from
from worker.graph.evidence import Answer, Evidence
from worker.graph.failure import meaning_of_failure, result_of_failure
from worker.graph.post import Poster, SlotMissedError
from worker.ports import Departure

DNS_TTL_S = 60
# Shorter than servers keep idle connections, so that few requests meet a closing one.
KEEPALIVE_S = 15.0
# Over connecting and reading; fires only when the library's own limits do not.
BACKSTOP_S = 5.0
USER_AGENT = f"igsend/{__version__}"

_VERSION_HEADER = "instagram-api-version"
_VERSION = re.compile(r"v?[0-9]{1,3}\.[0-9]{1,3}")
_UNENCODABLE = NotSent(
    GraphError("the message cannot be written as JSON"), max_attempts=1, refused_as=Scope.MESSAGE
)


class GraphClient:
    """Implements the Graph port. Enter it as a context before the first send.

    The caller limits how many calls run at a time; the connection pool makes nobody wait.
    `version_seen` is the version that served a call, once it is not the configured one;
    `overdue_calls` counts calls that only the outermost time limit ended.
    """

    def __init__(
        self,
        config: Config,
        *,
        user_agent: str = USER_AGENT,
        backstop_s: float = BACKSTOP_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.version_seen: str | None = None
        self.overdue_calls = 0
        self._version = config.graph_version
        self._user_agent = user_agent
        self._now = now
        self._text = _timeout(config.connect_timeout_s, config.text_timeout_s)
        self._media = _timeout(config.connect_timeout_s, config.media_timeout_s)
        self._spare_s = config.connect_timeout_s + backstop_s
        self._root = URL(config.graph_url)
        self._session: aiohttp.ClientSession | None = None
        self._poster: Poster | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            limit=0,
            ttl_dns_cache=DNS_TTL_S,
            keepalive_timeout=KEEPALIVE_S,
            # Otherwise an installed aiodns would be used, which fails in some containers.
            resolver=aiohttp.ThreadedResolver(),
        )
        headers = {
            "User-Agent": self._user_agent,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
        }
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            headers=headers,
        )
        self._poster = Poster(self._root, connector, headers)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(
        self,
        account: Account,
        part: Part,
        *,
        tag: Mapping[str, object],
        may_have_gone: bool,
        departure: Departure | None = None,
    ) -> SendResult:
        try:
            # Copied: what orjson returns takes four kilobytes, however short it is.
            body = bytes(memoryview(orjson.dumps({**part.body, **tag})))
        except orjson.JSONEncodeError:
            return _UNENCODABLE
        reply = await self._posted(account, part, body, departure)
        if not isinstance(reply, Reply):
            return reply
        return result_of(
            reply,
            needs_message_id=answers_with_message_id(part.kind),
            may_have_gone=may_have_gone,
        )

    async def read(
        self, account: Account, path: str, query: Mapping[str, str]
    ) -> Reply | GraphError:
        """GET `path` below the version as `account`, once; a GraphError when no answer was read."""
        evidence = Evidence()
        url = (self._root / self._version_of(account) / path).with_query(query)
        call = self._get(account, url, evidence)
        reply = await self._within(self._text, call, evidence)
        if isinstance(reply, Reply):
            return reply
        status = None if evidence.answer is None else evidence.answer.status
        meaning = meaning_of_failure(reply.error, is_overdue=reply.is_overdue)
        return GraphError(meaning, http_status=status)

    async def _posted(
        self, account: Account, part: Part, body: bytes, departure: Departure | None
    ) -> Reply | SendResult:
        """Call, within all time limits; whatever goes wrong becomes a result by its evidence."""
        evidence = Evidence()
        limits = self._media if is_fetched_by_meta(part.kind) else self._text
        call = self._post(account, body, limits, evidence, departure)
        reply = await self._within(limits, call, evidence)
        if isinstance(reply, Reply):
            return reply
        if isinstance(reply.error, SlotMissedError):
            return Missed()
        return result_of_failure(reply.error, evidence, is_overdue=reply.is_overdue)

    async def _within(
        self, limits: aiohttp.ClientTimeout, call: Awaitable[Reply], evidence: Evidence
    ) -> "Reply | _Failed":
        backstop = asyncio.timeout((limits.sock_read or 0.0) + self._spare_s)
        try:
            async with backstop:
                return await call
        except Exception as error:
            is_overdue = backstop.expired()
            self.overdue_calls += is_overdue
            if evidence.answer is not None and evidence.answer.status == 429:
                # A throttle is one with or without its body.
                return reply_from(evidence.answer, b"", now=self._now())
            return _Failed(error, is_overdue)

    async def _post(
        self,
        account: Account,
        body: bytes,
        limits: aiohttp.ClientTimeout,
        evidence: Evidence,
        departure: Departure | None,
    ) -> Reply:
        assert self._poster is not None, "the client was entered"
        answer, content = await self._poster.post(
            f"{self._version_of(account)}/{account.id}/messages",
            body,
            token=account.token,
            limits=limits,
            evidence=evidence,
            departure=departure,
        )
        return self._reply(account, answer, content)

    async def _get(self, account: Account, url: URL, evidence: Evidence) -> Reply:
        assert self._session is not None, "the client was entered"
        answer = evidence.answer = await self._session.get(
            url,
            headers={"Authorization": f"Bearer {account.token.reveal}"},
            allow_redirects=False,
            timeout=self._text,
            middlewares=(_never_repeated,),
        )
        async with answer:
            return self._reply(account, answer, await read_body(answer.content))

    def _reply(self, account: Account, answer: Answer, content: bytes) -> Reply:
        self._note_version(answer.headers.get(_VERSION_HEADER), account)
        return reply_from(answer, content, now=self._now())

    def _version_of(self, account: Account) -> str:
        return account.graph_version or self._version

    def _note_version(self, served: str | None, account: Account) -> None:
        if served is None or self.version_seen is not None or served == self._version_of(account):
            return
        if _VERSION.fullmatch(served):
            self.version_seen = served


@dataclass(frozen=True, slots=True)
class _Failed:
    """A call without a readable answer."""

    error: Exception
    is_overdue: bool


async def _never_repeated(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating a GET whose connection broke: it may have been counted."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError from error


def _timeout(connect_s: float, answer_s: float) -> aiohttp.ClientTimeout:
    # `connect` covers name resolution and TLS too, which `sock_connect` alone does not.
    return aiohttp.ClientTimeout(
        total=None, connect=connect_s, sock_connect=connect_s, sock_read=answer_s
    )
