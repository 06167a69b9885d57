"""Finds the addresses of a host, and gives none unless all of them may be connected to."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

from worker.media.allowed import Allowed, plain

# Threads of their own: a name server that never answers must not keep the calls to the API,
# whose names are looked up in the threads of the loop, from their addresses.
_LOOKUPS_AT_ONCE = 8


class ForbiddenAddressError(OSError):
    """A host is on an address that is not public."""

    def __init__(self) -> None:
        super().__init__("the host is on an address that is not public")


class GuardedResolver(AbstractResolver):
    """`granted` holds the addresses that hosts named by the operator have now."""

    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed
        self._threads = ThreadPoolExecutor(_LOOKUPS_AT_ONCE, "media-names")
        self._granted: dict[str, frozenset[str]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, _lookup, host, port, family
        )
        addresses = frozenset(address for _, address in found)
        if self._allowed.names(host):
            self._granted[plain(host)] = addresses
        elif not self._allowed.may_connect(addresses):
            raise ForbiddenAddressError
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=of_family,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for of_family, address in found
        ]

    def is_granted(self, address: str) -> bool:
        """Whether a host that the operator named is on this address."""
        return any(address in addresses for addresses in self._granted.values())

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _lookup(
    host: str, port: int, family: socket.AddressFamily
) -> list[tuple[socket.AddressFamily, str]]:
    found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
    # A link-local address loses its scope here; it is forbidden in either spelling.
    return [(of_family, str(address[0])) for of_family, _, _, _, address in found]
