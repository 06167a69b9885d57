"""One POST to the messages endpoint; every library failure becomes a core value here."""

import asyncio
import time
from collections.abc import Mapping
from types import SimpleNamespace, TracebackType
from typing import Self

import aiohttp
import orjson
from yarl import URL

from worker.config import Config
from worker.core.account import Account
from worker.core.graph_reply import Reply, result_of
from worker.core.kind import answers_with_message_id, is_fetched_by_meta
from worker.core.request import Part
from worker.core.send_result import GraphError, NotSent, SendResult, Unknown
from worker.graph.usage import retry_after_s

DNS_TTL_S = 60
# Shorter than servers keep idle connections, so that few requests meet a closing one.
KEEPALIVE_S = 15.0
LARGEST_ANSWER = 1024 * 1024
BACKSTOP_S = 5.0
_SKIPPED_HEADERS = ("Accept", "Accept-Encoding", "User-Agent")


class GraphClient:
    """Implements the Graph port. Enter it as a context before the first send."""

    def __init__(self, config: Config) -> None:
        self._base = URL(config.graph_url) / config.graph_version
        self._timeouts = {
            False: _timeout(config.connect_timeout_s, config.text_timeout_s),
            True: _timeout(config.connect_timeout_s, config.media_timeout_s),
        }
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_note_written)
        self._session = aiohttp.ClientSession(
            # The caller holds a permit for each call, so the pool never makes anyone wait.
            connector=aiohttp.TCPConnector(
                limit=0,
                ttl_dns_cache=DNS_TTL_S,
                keepalive_timeout=KEEPALIVE_S,
                resolver=aiohttp.ThreadedResolver(),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=True,
            skip_auto_headers=_SKIPPED_HEADERS,
            trace_configs=[trace],
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(
        self,
        account: Account,
        part: Part,
        *,
        tag: Mapping[str, object],
        is_first_attempt: bool,
    ) -> SendResult:
        evidence = SimpleNamespace(is_written=False)
        timeout = self._timeouts[is_fetched_by_meta(part.kind)]
        assert timeout.sock_read is not None, "both timeouts are set"
        try:
            async with asyncio.timeout(timeout.sock_read + BACKSTOP_S):
                reply = await self._post(account, {**part.body, **tag}, timeout, evidence)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return _lost(type(error).__name__, is_written=evidence.is_written)
        return result_of(
            reply,
            needs_message_id=answers_with_message_id(part.kind),
            is_first_attempt=is_first_attempt,
        )

    async def _post(
        self,
        account: Account,
        body: Mapping[str, object],
        limits: aiohttp.ClientTimeout,
        evidence: SimpleNamespace,
    ) -> Reply:
        assert self._session is not None, "the client was entered"
        async with self._session.post(
            self._base / account.id / "messages",
            data=orjson.dumps(body),
            headers={
                "Authorization": f"Bearer {account.token.reveal}",
                "Content-Type": "application/json",
            },
            allow_redirects=False,
            timeout=limits,
            trace_request_ctx=evidence,
        ) as answer:
            document = _json(await _whole(answer))
            return Reply(
                answer.status, document, retry_after_s(answer.headers, document, now=time.time())
            )


def _timeout(connect_s: float, answer_s: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=connect_s, sock_read=answer_s)


async def _note_written(
    _: aiohttp.ClientSession,
    context: SimpleNamespace,
    __: aiohttp.TraceRequestHeadersSentParams,
) -> None:
    context.trace_request_ctx.is_written = True


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    """Read the body; an oversized one counts as unreadable."""
    chunks, size = [], 0
    async for chunk in answer.content.iter_any():
        size += len(chunk)
        if size > LARGEST_ANSWER:
            return b""
        chunks.append(chunk)
    return b"".join(chunks)


def _json(data: bytes) -> object:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


def _lost(kind: str, *, is_written: bool) -> SendResult:
    """Tell what certainly did not leave from what may have arrived."""
    if is_written:
        return Unknown(GraphError(f"the connection failed before the answer ({kind})"))
    return NotSent(GraphError(f"no connection to the API ({kind})"))
