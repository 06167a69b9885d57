"""What is found out about a file, how, and how often."""

import asyncio
import socket
from typing import Any

import pytest

from tests.media.web import SILENCE, a_web, some_files
from tests.support.waiting import eventually
from worker.media.allowed import Allowed
from worker.media.files import BAD_FOR_S, GOOD_FOR_S, MOST_REDIRECTS, WebFiles

PNG = "200 OK\nContent-Type: image/png\nContent-Length: 100"
PAGE = "200 OK\nContent-Type: text/html; charset=utf-8"


async def said_of(answers: dict[str, str], path: str = "/a") -> tuple[str | None, list[str]]:
    async with a_web(answers) as web, some_files() as files:
        return await files.objection("image", web.url(path)), web.asked


async def test_good_file_takes_one_head() -> None:
    assert await said_of({"/a": PNG}) == (None, ["HEAD /a"])


@pytest.mark.parametrize("status", ["400", "401", "403", "404", "405", "500", "501"])
async def test_head_that_is_refused_is_followed_by_a_get_of_one_byte(status: str) -> None:
    partial = "206 Partial\nContent-Type: image/png\nContent-Range: bytes 0-0/9000000"
    said, asked = await said_of({"HEAD /a": f"{status} No", "GET /a": partial})
    assert asked == ["HEAD /a", "GET /a"]
    assert said is not None
    assert "9000000 bytes" in said


async def test_nothing_is_refused_by_the_answer_to_head_alone() -> None:
    assert await said_of({"HEAD /a": PAGE, "GET /a": PNG}) == (None, ["HEAD /a", "GET /a"])


@pytest.mark.parametrize("status", ["401", "403", "429", "500", "503"])
async def test_file_that_we_are_not_shown_is_left_to_meta(status: str) -> None:
    said, _ = await said_of({"/a": f"{status} No\nContent-Type: text/html"})
    assert said is None


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("404 Not Found", "not there"),
        ("410 Gone", "gone"),
        (PAGE, "the file is text/html"),
        ("200 OK\nContent-Type: IMAGE/WebP", "the file is image/webp"),
        ("200 OK\nContent-Length: 8388609", "8388609 bytes"),
    ],
)
async def test_wrong_file_is_refused(answer: str, says: str) -> None:
    said, _ = await said_of({"/a": answer})
    assert said is not None
    assert says in said


@pytest.mark.parametrize(
    "headers",
    [
        "Content-Length: 0",
        "Content-Encoding: gzip\nContent-Length: 99999999",
        "Content-Type: \x01/evil",
        "Content-Type: image",
        "Content-Type: " + "image/" + "x" * 70,
    ],
)
async def test_headers_that_say_nothing_certain_are_left_to_meta(headers: str) -> None:
    said, _ = await said_of({"/a": f"200 OK\n{headers}"})
    assert said is None


async def test_neither_credentials_nor_cookies_leave() -> None:
    cookie = PNG + "\nSet-Cookie: a=b"
    async with a_web({"/a": cookie, "/b": PNG}) as web, some_files() as files:
        await files.objection("image", web.url("/a"))
        await files.objection("image", web.url("/b"))
        await files.objection("image", web.url("/b", host="user:secret@127.0.0.1"))
    assert web.asked == ["HEAD /a", "HEAD /b"], "a URL with a password in it is not asked at all"
    assert "cookie" not in "".join(web.heads).lower()
    assert "authorization" not in "".join(web.heads).lower()


async def test_path_leaves_as_it_was_written() -> None:
    path = "/a%2fb?signature=x%2By%3d&e=%7e"
    async with a_web({path: PNG}) as web, some_files() as files:
        await files.objection("image", web.url(path))
    assert web.asked == [f"HEAD {path}"]


def chain(length: int) -> dict[str, str]:
    hops = {f"/{n}": f"302 Found\nLocation: /{n + 1}" for n in range(length)}
    return hops | {f"/{length}": "404 None"}


async def test_redirects_are_followed_three_times() -> None:
    said, asked = await said_of(chain(MOST_REDIRECTS), "/0")
    assert said is not None
    assert asked == [f"{method} /{n}" for method in ("HEAD", "GET") for n in range(4)]
    assert (await said_of(chain(MOST_REDIRECTS + 1), "/0"))[0] is None


async def test_redirect_to_another_scheme_is_not_followed() -> None:
    said, asked = await said_of({"/a": "302 Found\nLocation: file:///etc/passwd"})
    assert (said, asked) == (None, ["HEAD /a", "GET /a"])


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "2130706433", "0177.0.0.1"),
        *("0x7f000001", "0x7F.1", "127.1", "4294967296", "[::1]"),
    ],
)
async def test_url_written_as_a_private_address_is_refused(host: str) -> None:
    async with a_web() as web, some_files("") as files:
        said = await files.objection("image", f"https://{host}/a")
        assert web.connections == 0
    assert said is not None
    assert "no public address" in said


@pytest.mark.parametrize("host", ["134744072", "0x08080808", "010.8.8.8"])
async def test_public_address_in_another_spelling_is_left_to_meta(
    monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    def nowhere(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    async with some_files("") as files:
        assert await files.objection("image", f"https://{host}/a") is None


async def test_other_ports_are_not_asked_unless_the_host_is_named() -> None:
    async with a_web({"/a": "404 None"}) as web:
        async with some_files("10.0.0.0/8") as files:
            assert await files.objection("image", f"http://example.test:{web.port}/a") is None
        async with some_files("localhost") as files:
            assert await files.objection("image", web.url("/a", host="LOCALHOST")) is not None
    assert set(web.asked) == {"HEAD /a", "GET /a"}


async def test_campaign_with_one_picture_makes_one_request() -> None:
    async with a_web({"/a": PNG}) as web, some_files() as files:
        url = web.url("/a")
        said = await asyncio.gather(*(files.objection("image", url) for _ in range(200)))
        assert [*said, await files.objection("image", url)] == [None] * 201
    assert web.asked == ["HEAD /a"]


@pytest.mark.parametrize(("answer", "kept_s"), [(PNG, GOOD_FOR_S), ("404 None", BAD_FOR_S)])
async def test_answer_is_remembered_for_a_while(answer: str, kept_s: float) -> None:
    time_now = [1000.0]
    async with (
        a_web({"/a": answer}) as web,
        WebFiles(Allowed("127.0.0.1"), limit_s=20, now=lambda: time_now[0]) as files,
    ):
        await files.objection("image", web.url("/a"))
        first = len(web.asked)
        time_now[0] += kept_s - 1
        await files.objection("image", web.url("/a"))
        assert len(web.asked) == first
        time_now[0] += 2
        await files.objection("image", web.url("/a"))
        assert len(web.asked) == 2 * first


async def test_server_that_never_answers_is_left_to_meta_in_time() -> None:
    async with a_web({"/a": SILENCE}) as web, some_files(limit_s=0.1) as files:
        assert await files.objection("image", web.url("/a")) is None


async def test_who_waits_for_an_answer_that_is_cancelled_goes_on() -> None:
    async with a_web({"/a": SILENCE}) as web, some_files() as files, asyncio.timeout(10):
        waiting = asyncio.Event()

        async def second() -> str | None:
            waiting.set()
            return await files.objection("image", web.url("/a"))

        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(files.objection("image", web.url("/a")))
            await eventually(lambda: bool(web.heads))
            other = tasks.create_task(second())
            await waiting.wait()
            first.cancel()
        assert other.result() is None
        assert len(web.heads) == 1
