"""One POST to the messages endpoint, or one GET; library failures become core values here."""

import re
import time
from collections.abc import Callable, Mapping
from typing import Self, TypeGuard

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
USER_AGENT = f"igsend/{__version__}"

_VERSION_HEADER = "instagram-api-version"
_VERSION = re.compile(r"v?[0-9]{1,3}\.[0-9]{1,3}")
_UNENCODABLE = NotSent(
    GraphError("the message cannot be written as JSON"), max_attempts=1, refused_as=Scope.MESSAGE
)


class GraphClient:
    """Implements the Graph port. Enter it as a context before the first send.

    The caller limits how many calls run at a time; the connection pool makes nobody wait.
    `version_seen` is the version that served a call, once it is not the configured one.
    """

    def __init__(
        self,
        config: Config,
        *,
        user_agent: str = USER_AGENT,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.version_seen: str | None = None
        self._version = config.graph_version
        self._user_agent = user_agent
        self._now = now
        self._connect_s = config.connect_timeout_s
        self._text_s, self._media_s = config.text_timeout_s, config.media_timeout_s
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
            timeout=aiohttp.ClientTimeout(total=self._connect_s + self._text_s),
        )
        # `connect` covers name resolution and TLS too, which `sock_connect` alone does not.
        limits = aiohttp.ClientTimeout(connect=self._connect_s, sock_connect=self._connect_s)
        self._poster = Poster(self._root, connector, headers, connect_limits=limits)
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
        assert self._poster is not None, "the client was entered"
        evidence = Evidence()
        try:
            answer = await self._poster.post(
                f"{self._version_of(account)}/{account.id}/messages",
                body,
                token=account.token,
                answer_s=self._media_s if is_fetched_by_meta(part.kind) else self._text_s,
                evidence=evidence,
                departure=departure,
            )
            reply = self._reply(account, *answer)
        except SlotMissedError:
            return Missed()
        except Exception as error:
            if not _is_throttle(evidence.answer):
                return result_of_failure(error, evidence)
            reply = self._reply(account, evidence.answer)
        return result_of(
            reply,
            needs_message_id=answers_with_message_id(part.kind),
            may_have_gone=may_have_gone,
        )

    async def read(
        self, account: Account, path: str, query: Mapping[str, str]
    ) -> Reply | GraphError:
        """GET `path` below the version as `account`, once; a GraphError when no answer was read."""
        assert self._session is not None, "the client was entered"
        evidence = Evidence()
        url = (self._root / self._version_of(account) / path).with_query(query)
        try:
            async with self._session.get(
                url,
                headers={"Authorization": f"Bearer {account.token.reveal}"},
                allow_redirects=False,
                middlewares=(_never_repeated,),
            ) as answer:
                evidence.answer = answer
                return self._reply(account, answer, await read_body(answer.content))
        except Exception as error:
            if not _is_throttle(evidence.answer):
                status = None if evidence.answer is None else evidence.answer.status
                return GraphError(meaning_of_failure(error), http_status=status)
            return self._reply(account, evidence.answer)

    def _reply(self, account: Account, answer: Answer, content: bytes = b"") -> Reply:
        self._note_version(answer.headers.get(_VERSION_HEADER), account)
        return reply_from(answer, content, now=self._now())

    def _version_of(self, account: Account) -> str:
        return account.graph_version or self._version

    def _note_version(self, served: str | None, account: Account) -> None:
        if served is None or self.version_seen is not None or served == self._version_of(account):
            return
        if _VERSION.fullmatch(served):
            self.version_seen = served


def _is_throttle(answer: Answer | None) -> TypeGuard[Answer]:
    """Whether the head of an answer says so: it is one with or without its body."""
    return answer is not None and answer.status == 429


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
