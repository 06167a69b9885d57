"""Accounts in Redis: one key each, PREFIX:account:ID, with the entry as JSON."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AskError,
    ClusterCrossSlotError,
    ClusterDownError,
    RedisError,
)

from worker.accounts.entry import account_from_json
from worker.accounts.origin import (
    ABSENT,
    UNCHANGED,
    Answer,
    Found,
    Mark,
    OriginUnavailable,
    Unusable,
)
from worker.accounts.reading import ACCOUNT_ID, AccountsError

_SCANNED_AT_ONCE = 1000

# What only a node of a cluster answers; MovedError is an AskError.
_ANSWERS_OF_CLUSTERS = (AskError, ClusterCrossSlotError, ClusterDownError)


class RedisKeys:
    """Implements Origin. A look is an MGET and a comparison, so who writes only SETs and DELs.

    Keyspace events and client-side caching would need a setting of the server, or a connection
    that must not miss anything; this needs neither and costs one call for 500 accounts in use.
    """

    most_at_once = 500

    def __init__(self, url: str, *, prefix: str, timeout_s: float) -> None:
        scheme, _, rest = url.partition("://")
        # Also without the options, one of which may be a password.
        self.shown = f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"
        self._prefix = f"{prefix}:account:"
        self._timeout_s = timeout_s
        self._redis: Any = Redis.from_url(
            url,
            protocol=2,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
        )

    async def close(self) -> None:
        await self._redis.aclose()

    async def ask(self, marks: Mapping[str, Mark]) -> Mapping[str, Answer]:
        ids = list(marks)
        try:
            async with asyncio.timeout(self._timeout_s):
                texts = await self._redis.mget([self._prefix + account_id for account_id in ids])
                if not isinstance(texts, list):
                    raise TypeError
                found = dict(zip(ids, texts, strict=True))
                kinds = await self._kinds([each for each, text in found.items() if text is None])
        except (RedisError, OSError, TimeoutError, TypeError, ValueError) as error:
            raise self._unavailable(error) from None
        return {
            account_id: self._answer(account_id, text, marks[account_id], kinds.get(account_id))
            for account_id, text in found.items()
        }

    async def _kinds(self, ids: Sequence[str]) -> Mapping[str, str]:
        """Say what lies at keys where MGET finds no string, if anything: it tells no difference."""
        if not ids:
            return {}
        async with self._redis.pipeline(transaction=False) as asking:
            for account_id in ids:
                asking.type(self._prefix + account_id)
            kinds = await asking.execute(raise_on_error=False)
        # Who may not ask for types (an error) takes it for none.
        return {
            account_id: kind.decode()
            for account_id, kind in zip(ids, kinds, strict=True)
            if isinstance(kind, bytes) and kind not in (b"none", b"string")
        }

    async def ids(self) -> AsyncIterator[str]:
        """List the ids of all accounts, in no order; raises OriginUnavailable."""
        try:
            async for key in self._redis.scan_iter(
                match=self._prefix + "*", count=_SCANNED_AT_ONCE
            ):
                account_id = key.decode(errors="replace").removeprefix(self._prefix)
                if ACCOUNT_ID.fullmatch(account_id):
                    yield account_id
        except (RedisError, OSError, TimeoutError) as error:
            raise self._unavailable(error) from None

    def _answer(self, account_id: str, text: bytes | None, mark: Mark, kind: str | None) -> Answer:
        where = f"Redis key {self._prefix}{account_id}"
        if kind is not None:
            return Unusable(f"{where} is a {kind}; it must be a string with the entry as JSON")
        if text is None:
            return ABSENT
        digest = blake2b(text, digest_size=16).digest()
        if digest == mark:
            return UNCHANGED
        try:
            return Found(account_from_json(account_id, text, where=where), digest)
        except AccountsError as error:
            return Unusable(str(error))

    def _unavailable(self, error: BaseException) -> OriginUnavailable:
        if isinstance(error, _ANSWERS_OF_CLUSTERS):
            return OriginUnavailable(
                f"IGSEND_ACCOUNTS={self.shown}: this is a node of a Redis Cluster, which cannot be "
                "the source of accounts; name a Redis that is no cluster"
            )
        if isinstance(error, TimeoutError):
            why = f"no answer within {self._timeout_s:g} s (IGSEND_ACCOUNTS_TIMEOUT_S)"
        elif isinstance(error, TypeError | ValueError):
            why = "it answers something else than it was asked"
        else:
            # Answers of Redis quote commands and keys, which hold no secret; log-ins quote none.
            why = f"{type(error).__name__}: {error}"
        return OriginUnavailable(f"IGSEND_ACCOUNTS={self.shown}: {why}; look at the Redis")
