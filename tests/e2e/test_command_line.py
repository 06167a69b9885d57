"""What holds for the command line as a whole: version, help, settings, exit codes."""

import asyncio
import re
import sys
from pathlib import Path

from tests.support.commands import igsend, run
from worker import __version__

# A port nobody listens on: no command here may get as far as the broker.
NOWHERE = {"IGSEND_AMQP_URL": "amqp://guest:geheim@127.0.0.1:1/"}


async def test_both_ways_to_call_it_tell_the_version() -> None:
    module = run(sys.executable, "-m", "worker", "--version")
    for done in await asyncio.gather(igsend("--version"), module):
        assert (done.code, done.out, done.err) == (0, f"igsend {__version__}\n", "")


async def test_help_names_every_command_in_a_sentence() -> None:
    done = await igsend("--help")
    assert done.code == 0
    for command in ("worker", "sandbox", "send", "validate", "topology", "doctor", "demo"):
        assert re.search(rf"\b{command} +[A-Z].*\.", done.out), command


async def test_wrong_use_exits_2() -> None:
    uses = (["nonsense"], ["send"], ["send", "-", "--lane", "slow"], ["topology", "drop"])
    for done in await asyncio.gather(*(igsend(*use) for use in uses)):
        assert (done.code, done.out) == (2, "")
        assert "Usage: igsend" in done.err


async def test_wrong_settings_are_listed_all_together_with_the_nearest_name() -> None:
    wrong = {
        "IGSEND_CONCURENCY": "3",
        "IGSEND_PARTITIONS": "many",
        "IGSEND_GATE_URL": "file:///",
        "IGSEND_GRAPH_VERSION": "23",
    }
    done = await igsend("worker", settings=wrong)
    assert (done.code, done.out) == (2, "")
    assert "IGSEND_CONCURENCY is not a setting; did you mean IGSEND_CONCURRENCY?" in done.err
    for name in ("IGSEND_PARTITIONS", "IGSEND_GATE_URL", "IGSEND_GRAPH_VERSION"):
        assert re.search(rf"^{name}: \w+", done.err, re.MULTILINE), done.err


async def test_every_command_with_settings_refuses_an_unknown_one() -> None:
    commands = (["worker"], ["send", "-"], ["topology", "show"], ["topology", "check"], ["doctor"])
    wrong = {"IGSEND_PREFETHC": "1"}
    for done in await asyncio.gather(*(igsend(*each, settings=wrong) for each in commands)):
        assert (done.code, done.out) == (2, "")
        assert done.err == (
            "igsend: settings are wrong:\n"
            "IGSEND_PREFETHC is not a setting; did you mean IGSEND_PREFETCH?\n"
        )


async def test_a_wrong_url_is_refused_without_showing_its_password() -> None:
    done = await igsend("worker", settings={"IGSEND_AMQP_URL": "http://guest:geheim@broker/"})
    assert done.code == 2
    assert "IGSEND_AMQP_URL: must start with amqp:// or amqps://" in done.err
    assert "geheim" not in done.err


UNUSABLE_ACCOUNTS = {
    "": "IGSEND_ACCOUNTS is not set; give a directory of token files",
    "nowhere": "must be a directory of token files, or a file that ends in .toml or .json",
    "nowhere.toml": "No such file or directory",
    "broken.toml": "is not TOML",
    "broken.json": "is not JSON",
}


async def test_a_worker_without_usable_accounts_exits_2_and_says_why(tmp_path: Path) -> None:
    for name in ("broken.toml", "broken.json"):
        (tmp_path / name).write_text("token = IGAAleaked")
    settings = {**NOWHERE, "IGSEND_HTTP_HOST": "127.0.0.1", "IGSEND_HTTP_PORT": "0"}
    ended = await asyncio.gather(
        *(
            igsend("worker", settings={**settings, "IGSEND_ACCOUNTS": each}, folder=tmp_path)
            for each in UNUSABLE_ACCOUNTS
        )
    )
    for done, said in zip(ended, UNUSABLE_ACCOUNTS.values(), strict=True):
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("igsend: ")
        assert said in done.err
        assert "IGAAleaked" not in done.err


async def test_a_broker_that_is_away_is_one_sentence_that_names_the_setting() -> None:
    commands = (["send", "-"], ["topology", "check"], ["topology", "declare"])
    given = b'{"id":"a","account_id":"1","recipient":{"id":"1"},"message":{"text":"x"}}'
    for done in await asyncio.gather(
        *(igsend(*each, settings=NOWHERE, given=given) for each in commands)
    ):
        assert (done.code, done.out) == (1, "")
        assert re.fullmatch(
            r"igsend: no connection to RabbitMQ \(.*\); look at IGSEND_AMQP_URL: .*\n", done.err
        ), done.err
        assert "geheim" not in done.err


async def test_a_worker_that_cannot_listen_says_where(tmp_path: Path) -> None:
    (tmp_path / "1").write_text("IGAAtoken")
    settings = {"IGSEND_HTTP_HOST": "203.0.113.1", "IGSEND_HTTP_PORT": "0"}
    done = await igsend(
        "worker", settings={**NOWHERE, **settings, "IGSEND_ACCOUNTS": str(tmp_path)}
    )
    assert done.code == 1
    assert "cannot serve the health endpoints on 203.0.113.1:0" in done.err
    assert "Traceback" not in done.err


async def test_a_url_that_is_none_is_a_setting_to_mend_and_shows_no_password(
    tmp_path: Path,
) -> None:
    (tmp_path / "1").write_text("IGAAtoken")
    settings = {
        "IGSEND_AMQP_URL": "amqp://worker:ge:h/eim@127.0.0.1:1/",  # the / belongs to the password
        "IGSEND_ACCOUNTS": str(tmp_path),
        "IGSEND_HTTP_HOST": "127.0.0.1",
        "IGSEND_HTTP_PORT": "0",
    }
    commands = (["worker"], ["doctor"], ["topology", "check"])
    for done in await asyncio.gather(*(igsend(*each, settings=settings) for each in commands)):
        assert done.code == 2
        assert "IGSEND_AMQP_URL" in done.err
        assert "ge:h" not in done.err
        assert "Traceback" not in done.err
