"""An HTTP service that knows the accounts: GET https://host/path/{account_id} gives an entry."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path

import aiohttp
from yarl import URL

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
from worker.accounts.reading import AccountsError, token_in
from worker.config import ACCOUNT_PLACE

# A token has at most 4096 signs; the settings beside it are few.
_LONGEST_ANSWER = 64 * 1024
_LONGEST_MARK = 256


class HttpService:
    """Implements Origin. http:// is allowed too: inside a cluster a mesh may encrypt for it."""

    most_at_once = 1

    def __init__(self, url: str, *, timeout_s: float, token_file: Path | None = None) -> None:
        before, after = url.split(ACCOUNT_PLACE)
        # The userinfo is taken out here, so that no later message can hold it.
        whole = URL(before + "0" + after)
        self._userinfo = whole.user, whole.password
        scheme, _, rest = url.partition("://")
        self.shown = f"{scheme}://{rest.rpartition('@')[2]}"
        self._timeout_s = timeout_s
        self._token_file = token_file
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def ids(self) -> AsyncIterator[str]:
        """Raise AccountsError: a service is asked about one account, it has no list."""
        for account_id in _no_list(self.shown):
            yield account_id

    async def ask(self, marks: Mapping[str, Mark]) -> Mapping[str, Answer]:
        ((account_id, mark),) = marks.items()
        url = self.shown.replace(ACCOUNT_PLACE, account_id)
        headers = {"Accept": "application/json", **await self._credentials()}
        if isinstance(mark, str):
            headers["If-None-Match"] = mark
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._opened().get(url, headers=headers, allow_redirects=False) as answer,
            ):
                return {account_id: await self._read(account_id, answer, url, mark)}
        except TimeoutError:
            why = f"no answer within {self._timeout_s:g} s (IGSEND_ACCOUNTS_TIMEOUT_S)"
        except (aiohttp.ClientError, UnicodeError) as error:
            # Its text may quote what was sent. A host that no name server can be asked for is
            # found out here only: UnicodeError.
            why = f"no answer ({type(error).__name__})"
        raise OriginUnavailable(f"IGSEND_ACCOUNTS={self.shown}: {why}; look at the service")

    async def _read(
        self, account_id: str, answer: aiohttp.ClientResponse, url: str, mark: Mark
    ) -> Answer:
        if answer.status == 404:
            return ABSENT
        if answer.status == 304 and mark is not None:
            return UNCHANGED
        if answer.status != 200:
            raise OriginUnavailable(
                f"IGSEND_ACCOUNTS={self.shown}: it answers {answer.status}; "
                f"{_ADVICE.get(answer.status, 'it must answer 200, 304 or 404')}"
            )
        data = bytearray()
        async for chunk in answer.content.iter_any():
            data += chunk
            if len(data) > _LONGEST_ANSWER:
                answer.close()
                return Unusable(f"{url} answers with more than {_LONGEST_ANSWER} bytes")
        try:
            account = account_from_json(account_id, bytes(data), where=url)
        except AccountsError as error:
            return Unusable(str(error))
        tag = answer.headers.get("ETag")
        return Found(account, tag if tag is not None and len(tag) <= _LONGEST_MARK else None)

    async def _credentials(self) -> Mapping[str, str]:
        user, password = self._userinfo
        if self._token_file is not None:
            where = f"IGSEND_ACCOUNTS_TOKEN_FILE={self._token_file}"
            try:
                # Each time: it may be rotated, and is in the memory of the system anyhow.
                token = await asyncio.to_thread(token_in, self._token_file, where=where)
            except AccountsError as error:
                raise OriginUnavailable(str(error)) from None
            return {"Authorization": f"Bearer {token.reveal}"}
        if password is None:
            return {}
        if user:
            return {"Authorization": aiohttp.encode_basic_auth(user, password)}
        return {"Authorization": f"Bearer {password}"}

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0, ttl_dns_cache=60, resolver=aiohttp.ThreadedResolver()
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                headers={"Accept-Encoding": "identity"},
            )
        return self._session


def _no_list(shown: str) -> Iterable[str]:
    raise AccountsError(
        f"IGSEND_ACCOUNTS={shown} cannot list its accounts; ask about one: igsend accounts show ID"
    )


_REFUSED = "look at the credentials in IGSEND_ACCOUNTS or IGSEND_ACCOUNTS_TOKEN_FILE"
_MOVED = "redirects are not followed; let IGSEND_ACCOUNTS name the place itself"
_ADVICE = {
    401: _REFUSED,
    403: _REFUSED,
    **dict.fromkeys((301, 302, 303, 307, 308), _MOVED),
}
