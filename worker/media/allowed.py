"""Which addresses may be connected to: public ones, and what the operator named."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from worker.core.public_address import is_public

Network = IPv4Network | IPv6Network


class Allowed:
    """The rule of IGSEND_MEDIA_ALLOW: names of hosts, addresses and networks, comma-separated."""

    def __init__(self, text: str = "") -> None:
        words = [word.strip() for word in text.split(",") if word.strip()]
        self._networks = [network for word in words if (network := _network(word)) is not None]
        self._hosts = {plain(word) for word in words if _network(word) is None}

    def names(self, host: str) -> bool:
        """Whether the operator named this host, or this address as a host."""
        return plain(host) in self._hosts or self.has(host)

    def has(self, address: str) -> bool:
        """Whether the operator named this address or a network that it is in."""
        try:
            number = ip_address(address)
        except ValueError:
            return False
        return any(number in network for network in self._networks)

    def may_connect(self, addresses: Iterable[str]) -> bool:
        """Whether every one of the addresses is public or named."""
        return all(is_public(address) or self.has(address) for address in addresses)


def plain(host: str) -> str:
    """Give the one spelling of a host name: lower case, without the dot of the root."""
    return host.rstrip(".").lower()


def _network(word: str) -> Network | None:
    try:
        return ip_network(word, strict=False)
    except ValueError:
        return None
