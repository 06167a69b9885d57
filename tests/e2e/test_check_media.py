"""A file that Meta would not take ends its request before the API hears of it."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_hex

import pytest

from tests.media.web import Web
from tests.support.builders import a_document
from tests.support.own_worker import worker_with
from tests.support.system import System

pytestmark = pytest.mark.broker

ACCOUNT = "17841400000000095"
POINTER = "/messages/1/attachment/payload/url"


def certificate(folder: Path) -> Path:
    """Make a certificate of this machine that vouches for itself: media URLs are https."""
    place = folder / "files.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(place)]
    subprocess.run(command, check=True, capture_output=True)
    return place


@asynccontextmanager
async def served(web: Web, folder: Path) -> AsyncIterator[dict[str, str]]:
    """Serve over TLS; gives the settings with which a worker trusts it and may ask it."""
    place = certificate(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(place, folder / "key.pem")
    server = await asyncio.start_server(web.serve, "127.0.0.1", 0, ssl=tls)
    web.port = server.sockets[0].getsockname()[1]
    async with server:
        yield {"SSL_CERT_FILE": str(place), "IGSEND_MEDIA_ALLOW": "localhost"}


async def test_wrong_type_is_invalid_with_its_pointer_and_a_good_one_is_sent(
    system: System, tmp_path: Path
) -> None:
    web = Web(
        answers={
            "/good?sig=s3cret": "200 OK\nContent-Type: image/png\nContent-Length: 100",
            "/wrong?sig=s3cret": "200 OK\nContent-Type: text/html",
        }
    )
    accounts = tmp_path / "accounts.toml"
    accounts.write_text(f'[accounts.{ACCOUNT}]\ntoken = "IGAAmedia"\ncheck_media = true\n')
    await system.sandbox.admin("PUT", f"accounts/{ACCOUNT}", {"token": "IGAAmedia"})

    def with_image(name: str) -> dict[str, object]:
        url = f"https://localhost:{web.port}/{name}?sig=s3cret"
        image = {"attachment": {"type": "image", "payload": {"url": url}}}
        return a_document(id=token_hex(6), account_id=ACCOUNT, messages=[{"text": "Look"}, image])

    async with served(web, tmp_path) as settings:
        own = replace(system, settings={**system.settings, **settings})
        async with worker_with(own, tmp_path, accounts) as (worker, producer):
            wrong = await producer.outcome_of(with_image("wrong"))
            assert (wrong["status"], wrong["reason"]) == ("failed", "invalid")
            (problem,) = wrong["error"]["problems"]
            assert problem["pointer"] == POINTER
            assert "the file is text/html, but an image must be" in problem["message"]
            assert await system.sandbox.calls(ACCOUNT) == []

            good = await producer.outcome_of(with_image("good"))
            assert good["status"] == "sent"
            assert len(good["message_ids"]) == 2
            assert len(await system.sandbox.messages(ACCOUNT)) == 2
            assert "s3cret" not in worker.process.said()
    assert {line.split("?")[0] for line in web.asked} == {"HEAD /wrong", "GET /wrong", "HEAD /good"}
