"""Asks the server of a file for its type and length, and remembers the answer for minutes.

Never its body, never with credentials, cookies or a proxy, and never an address that is not
public: that is decided on the address of the socket, so that no name, number or redirect and no
DNS that changes its mind can lead elsewhere. URLs may be signed: nothing here logs any.
"""

import asyncio
import re
import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import aiohttp
from yarl import URL

from worker import __version__
from worker.core.media_rules import Found, objection
from worker.core.public_address import is_public
from worker.media.allowed import Allowed, plain
from worker.media.answer import found_in, redirection_of
from worker.media.resolver import ForbiddenAddressError, GuardedResolver

LIMIT_S = 2.0
MOST_REDIRECTS = 3
MOST_REMEMBERED = 4096
MOST_CONNECTIONS = 64
MOST_PER_HOST = 4
# A good file seldom changes. A bad one is mended, and what could not be known is known later.
GOOD_FOR_S = 300.0
BAD_FOR_S = 30.0
PORTS = frozenset({80, 443})
# What browsers and resolvers take for an IPv4 address: 127.1, 0177.0.0.1, 0x7f000001.
_NUMBER = re.compile(r"(?:.*\.)?(?:\d+|0[xX][0-9a-fA-F]*)")

_NOT_PUBLIC = (
    "the host of the URL is no public address, so Meta cannot fetch the file; give a public URL"
)


class Verdict(NamedTuple):
    """What is said of a file, and for how long."""

    objection: str | None
    keep_s: float


_UNKNOWN = Verdict(None, BAD_FOR_S)


class WebFiles:
    """Implements MediaFiles. Enter it as a context before the first question."""

    def __init__(
        self,
        allowed: Allowed,
        *,
        limit_s: float = LIMIT_S,
        ports: frozenset[int] = PORTS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._allowed = allowed
        self._limit_s = limit_s
        self._ports = ports
        self._now = now
        self._remembered: OrderedDict[tuple[str, str], tuple[Verdict, float]] = OrderedDict()
        self._asking: dict[tuple[str, str], asyncio.Future[Verdict]] = {}
        self._resolver: GuardedResolver | None = None
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._resolver = GuardedResolver(self._allowed)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=MOST_CONNECTIONS,
                limit_per_host=MOST_PER_HOST,
                use_dns_cache=False,
                resolver=self._resolver,
                socket_factory=self._socket_to,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            headers={"User-Agent": f"igsend/{__version__}", "Accept-Encoding": "identity"},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
        if self._resolver is not None:
            await self._resolver.close()

    async def objection(self, kind: str, url: str) -> str | None:
        key = (kind, url)
        remembered = self._remembered.get(key)
        if remembered is not None and self._now() < remembered[1]:
            self._remembered.move_to_end(key)
            return remembered[0].objection
        asking = self._asking.get(key)
        if asking is not None:
            return (await asyncio.shield(asking)).objection
        asking = self._asking[key] = asyncio.get_running_loop().create_future()
        verdict = _UNKNOWN
        try:
            verdict = await self._verdict(kind, url)
            self._remember(key, verdict)
        finally:
            # Also when this one is cancelled: the others then let Meta judge.
            del self._asking[key]
            asking.set_result(verdict)
        return verdict.objection

    def _remember(self, key: tuple[str, str], verdict: Verdict) -> None:
        self._remembered[key] = (verdict, self._now() + verdict.keep_s)
        self._remembered.move_to_end(key)
        if len(self._remembered) > MOST_REMEMBERED:
            self._remembered.popitem(last=False)

    async def _verdict(self, kind: str, url: str) -> Verdict:
        try:
            async with asyncio.timeout(self._limit_s):
                # As it was written: a signature may be over its very bytes.
                return await self._look(kind, URL(url, encoded=True))
        except (aiohttp.ClientError, OSError, ValueError):
            # No server, no such name, no TLS, a forbidden address, too slow: nothing is known.
            return _UNKNOWN

    async def _look(self, kind: str, url: URL) -> Verdict:
        if self._is_nowhere(plain(url.host or "")):
            return Verdict(_NOT_PUBLIC, BAD_FOR_S)
        found = await self._found("HEAD", url)
        if found.status != 200 or objection(kind, found) is not None:
            # Many answer HEAD wrongly, or not at all where only GET is signed: no file is
            # refused but by the answer to the GET that Meta would make.
            found = await self._found("GET", url)
        if found.status not in (200, 206):
            return Verdict(objection(kind, found), BAD_FOR_S)
        said = objection(kind, found)
        return Verdict(said, GOOD_FOR_S if said is None else BAD_FOR_S)

    async def _found(self, method: str, url: URL) -> Found:
        """Ask, and follow redirects by hand: each target is looked at like the first."""
        assert self._session is not None, "the files were entered"
        for _ in range(1 + MOST_REDIRECTS):
            if not self._may_ask(url):
                return Found()
            answer = await self._session.request(
                method,
                url,
                headers={"Range": "bytes=0-0"} if method == "GET" else None,
                allow_redirects=False,
            )
            # Closed, not read: a server may send without end.
            answer.close()
            target = redirection_of(answer)
            if target is None:
                return found_in(answer)
            following = url.join(URL(target))
            if following.scheme not in (url.scheme, "https"):
                return Found()
            url = following
        return Found()

    def _may_ask(self, url: URL) -> bool:
        """Whether the URL itself allows it; the addresses of its host are looked at later."""
        host = url.host
        if host is None or url.scheme not in ("http", "https") or url.user or url.password:
            return False
        is_named = self._allowed.names(host)
        return is_named or (url.port in self._ports and not self._is_nowhere(plain(host)))

    def _is_nowhere(self, host: str) -> bool:
        """Whether the host is written as an address that is not public, or as this very host."""
        if self._allowed.names(host):
            return False
        is_number = ":" in host or _NUMBER.fullmatch(host) is not None
        return (
            host.endswith(".localhost")
            or host == "localhost"
            or (is_number and not is_public(_dotted(host)))
        )

    def _socket_to(self, info: tuple[Any, ...]) -> socket.socket:
        """Open the socket to just this address, the last and only gate that counts."""
        family, kind, protocol, _, destination = info
        address = str(destination[0])
        assert self._resolver is not None, "the files were entered"
        if not self._allowed.may_connect([address]) and not self._resolver.is_granted(address):
            raise ForbiddenAddressError
        return socket.socket(family, kind, protocol)


def _dotted(host: str) -> str:
    """Give the usual spelling of an IPv4 address, and what is none as it is."""
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, UnicodeError):
        return host
