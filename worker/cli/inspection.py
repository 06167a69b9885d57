"""What knows the gate, for commands: Redis, or the worker whose memory it is in."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
from yarl import URL

from worker.cli.account_source import read_accounts
from worker.cli.failure import CommandFailed, UsageFailed
from worker.clock import SystemClock
from worker.config import Config
from worker.core.account import Account
from worker.gate.inspecting import Documents
from worker.gate.redis.failure import StoreUnavailable
from worker.gate.redis.inspection import redis_inspector
from worker.telemetry.health import Inspection

_WITHIN = aiohttp.ClientTimeout(total=30)
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@asynccontextmanager
async def inspection_of(
    config: Config,
    *,
    needs_accounts: bool = True,
    only: str | None = None,
    known: Mapping[str, Account] | None = None,
) -> AsyncIterator[Inspection]:
    """Give what knows the gate: Redis, or the worker whose memory it is in.

    With `only`, a source that need not be listed is asked about that account alone; with `known`
    no source is asked.
    Raises CommandFailed or UsageFailed where it cannot be asked.
    """
    url = config.gate_url.get_secret_value()
    if url == "memory://":
        async with aiohttp.ClientSession(timeout=_WITHIN, raise_for_status=False) as session:
            yield _WorkerInspection(session, _worker_url(config))
        return
    accounts = known or {}
    if needs_accounts and known is None:
        accounts = (await read_accounts(config, [only] if only else [])).by_id
    try:
        async with redis_inspector(
            url,
            SystemClock(),
            prefix=config.prefix,
            margin=config.rate_margin,
            keep_s=config.remember_s,
        ) as inspector:
            yield Documents(inspector, lambda: accounts)
    except StoreUnavailable as error:
        raise CommandFailed(str(error)) from None


def _worker_url(config: Config) -> URL:
    if config.http_port == 0:
        raise UsageFailed(
            "with memory:// the worker is asked, and IGSEND_HTTP_PORT=0 does not tell where it "
            "listens; set the port that the worker says at its start"
        )
    host = _EVERYWHERE.get(config.http_host, config.http_host)
    return URL.build(scheme="http", host=host, port=config.http_port)


class _WorkerInspection:
    """Asks the worker, over the port of its health endpoints."""

    def __init__(self, session: aiohttp.ClientSession, url: URL) -> None:
        self._session = session
        self._url = url

    async def accounts(self, *, start: int, closed: bool, busy: bool) -> Mapping[str, object]:
        query = {"start": str(start)}
        query |= {"closed": "true"} if closed else {}
        query |= {"busy": "true"} if busy else {}
        return await self._get(self._url / "accounts" % query)

    async def account(self, account_id: str) -> Mapping[str, object] | None:
        found = await self._get(self._url / "accounts" / account_id)
        return None if "error" in found else found

    async def requests(
        self, request_id: str, account_id: str | None
    ) -> Sequence[Mapping[str, object]]:
        query = {} if account_id is None else {"account": account_id}
        found: list[Mapping[str, object]] = (
            await self._get(self._url / "why" / request_id % query)
        )["requests"]
        return found

    async def _get(self, url: URL) -> dict[str, Any]:
        try:
            async with self._session.get(url) as answer:
                status, body = answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise CommandFailed(
                f"no worker answers at {self._url} ({type(error).__name__}); what memory:// knows "
                "is in the worker's memory: start it, or set IGSEND_HTTP_HOST and "
                "IGSEND_HTTP_PORT to where it listens"
            ) from None
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            document = None
        # Of the answers with 404 only that to an unknown account names one.
        is_ours = isinstance(document, dict) and (status == 200 or "account_id" in document)
        if not is_ours:
            raise CommandFailed(
                f"what answers at {self._url} (with {status}) is no worker with "
                "IGSEND_GATE_URL=memory://"
            )
        return dict(document)
