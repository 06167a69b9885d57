"""Whatever a URL looks like, and wherever it leads: no connection to an address that is private."""

import asyncio
import socket
from typing import Any

import pytest

from tests.media.web import Web, a_web, some_files


def words(text: str) -> list[str]:
    """Give one spelling a word; a byte that no text may hold is written as its escape."""
    return [
        word.encode("latin-1", "backslashreplace").decode("unicode_escape")
        if "\\" in word
        else word
        for word in text.split()
    ]


HOSTS = words(r"""
127.0.0.1 127.1 127.0.1 127.0.0.2 127.255.255.254 0.0.0.0 0 0.0 2130706433 017700000001
0x7f000001 0x7f.0.0.1 0177.0.0.1 0x7F.1 127.0.0.1. 00127.0.0.1 127.000.000.001 127.0.0.01
4294967296 localhost LOCALHOST LocalHost localhost. LOCALHOST. localhost.. x.localhost
localhost.localdomain ip6-localhost ip6-loopback [::1] [::] [0:0:0:0:0:0:0:1] [::127.0.0.1]
[::ffff:127.0.0.1] [::ffff:7f00:1] [::FFFF:7F00:0001] [0:0:0:0:0:ffff:127.0.0.1]
[::ffff:0:127.0.0.1] [64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b:1::7f00:1] [2002:7f00:1::]
[2001:0:53aa:64c::80ff:fffe] [fe80::1] [fe80::1%25lo] [::1%25lo] [fec0::1] [fd00:ec2::254]
[ff02::1] 169.254.169.254 169.254.170.2 2852039166 0xa9fea9fe 100.100.100.200 168.63.129.16
192.0.0.192 10.0.0.1 172.16.0.1 192.168.0.1 100.64.0.1 198.18.0.1 224.0.0.1 239.255.255.250
255.255.255.255 [::ffff:169.254.169.254] [::ffff:a9fe:a9fe] [::ffff:0:0] 0x0 00 0x7f000001.
metadata.google.internal instance-data kubernetes.default.svc 127.0.0.1.nip.io 7f000001.rbndr.us
①②⑦.⓪.⓪.① １２７.０.０.１ 127。0。0。1 127．0．0．1 ⓛocalhost ｌocalhost ℒocalhost localhoſt
loca\xadlhost %31%32%37.0.0.1 127%2e0%2e0%2e1 %6cocalhost user@127.0.0.1 user:secret@localhost
8.8.8.8@127.0.0.1 127.0.0.1#@8.8.8.8 8.8.8.8\\@127.0.0.1 127.0.0.1\\.example.com
127.0.0.1%00.com 127.0.0.1%09 127.0.0.1 localhost\x00 -127.0.0.1 +127.0.0.1 1270.0.1 [127.0.0.1]
[localhost]
""")
SCHEMES = ["http", "https", "HTTP", "ftp", "file", "gopher", "ws", "unix", "data", ""]


async def connections(web: Web, urls: list[str], **options: Any) -> int:
    """Ask for all of them, on any port and with all the time they need, and count who came."""
    async with some_files("", ports=frozenset(range(1, 65536)), **options) as files:
        await asyncio.gather(*(files.objection("image", url) for url in urls))
    return web.connections


@pytest.fixture
def no_name_servers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names are looked up on this machine alone; gives those that were asked for."""
    asked: list[str] = []
    look_up = socket.getaddrinfo

    def local(host: Any, *rest: Any, **more: Any) -> Any:
        asked.append(str(host))
        try:
            is_here = is_numeric(host) or "localhost" in str(host)
            return look_up(host, *rest, **more) if is_here else looked_up("127.0.0.1", rest[0])
        except UnicodeError:
            return looked_up("127.0.0.1", rest[0])

    monkeypatch.setattr(socket, "getaddrinfo", local)
    return asked


def is_numeric(host: Any) -> bool:
    try:
        socket.inet_aton(str(host))
    except (OSError, UnicodeError):
        return False
    return True


def looked_up(address: str, port: int) -> list[Any]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    place = (address, port, 0, 0) if ":" in address else (address, port)
    return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", place)]


async def test_witness_sees_a_connection_that_is_allowed() -> None:
    async with a_web({"/a": "200 OK\nContent-Type: image/png"}) as web, some_files() as files:
        await files.objection("image", web.url("/a"))
    assert web.asked == ["HEAD /a"], "or the tests below would prove nothing"


async def test_no_spelling_of_a_private_host_is_connected_to(no_name_servers: list[str]) -> None:
    async with a_web() as web:
        urls = [
            f"{scheme}{'://' if scheme else ''}{host}:{web.port}/a"
            for host in HOSTS
            for scheme in SCHEMES
        ]
        assert len(urls) > 900
        assert await connections(web, urls) == 0
    assert "ip6-loopback" in no_name_servers, "what is no address is judged by its lookup"
    assert "0x7f000001" not in no_name_servers, "and an address in any spelling without"


async def test_no_redirect_leads_to_a_private_host(no_name_servers: list[str]) -> None:
    async with a_web() as secret, a_web() as front:
        for number, host in enumerate(HOSTS):
            target = f"http://{host}:{secret.port}/secret"
            front.answers[f"/{number}"] = f"302 Found\nLocation: {target}"
            front.answers[f"/{number}/relative"] = f"307 X\nLocation: //{host}:{secret.port}/"
        # The front is named as a host by the operator; what it names is not.
        async with some_files("front.test", ports=frozenset(range(1, 65536))) as files:
            for path in list(front.answers):
                await files.objection("image", front.url(path, host="front.test"))
        assert len(front.heads) >= len(HOSTS)
        assert secret.connections == 0


@pytest.mark.parametrize("first", ["8.8.8.8", "2606:4700::1111"])
async def test_one_private_address_among_public_ones_forbids_the_host(
    monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    both = lambda _, port, **__: looked_up(first, port) + looked_up("127.0.0.1", port)  # noqa: E731
    monkeypatch.setattr(socket, "getaddrinfo", both)
    async with a_web() as web:
        assert await connections(web, [web.url("/a", host="both.test")]) == 0


async def test_socket_itself_refuses_what_the_lookup_let_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # DNS that answers publicly when it is judged and privately when it is used: here the very
    # answer that was judged is exchanged before the connection is made.
    async with a_web() as web, some_files("", ports=frozenset({web.port})) as files:
        resolver = files._resolver
        assert resolver is not None

        async def changed(host: str, port: int, **_: Any) -> list[dict[str, Any]]:
            return [
                {"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET}
                | {"proto": socket.IPPROTO_TCP, "flags": socket.AI_NUMERICHOST}
            ]

        monkeypatch.setattr(resolver, "resolve", changed)
        assert await files.objection("image", web.url("/a", host="changing.test")) is None
        assert web.connections == 0


async def test_name_whose_address_changes_is_judged_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = iter(["8.8.8.8", "127.0.0.1", "127.0.0.1", "127.0.0.1"])
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, port, **__: looked_up(next(answers), port))
    async with a_web() as web:
        urls = [web.url(f"/{number}", host="changing.test") for number in range(3)]
        assert await connections(web, urls, limit_s=0.3) == 0


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_web() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with some_files("", limit_s=0.3) as files:
            await files.objection("image", "http://192.0.2.1/a")
            await files.objection("image", "http://nowhere.invalid/a")
        assert proxy.connections == 0
