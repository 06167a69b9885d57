"""One stream, one line per event: ours and the libraries', for machines and for people."""

import asyncio
import io
import logging
from collections import UserDict
from typing import Any, Literal

import pytest
import structlog

from tests.support.builders import TEXT, TOKEN, a_request, an_account
from tests.telemetry.captured_logs import captured_logs
from worker.core.secret import Secret
from worker.telemetry.logs import configure_logging


class Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


class FullDisk(io.BytesIO):
    """Takes nothing while `is_full`."""

    is_full = True

    def write(self, data: object) -> int:
        if self.is_full:
            raise OSError(28, "No space left on device")
        return super().write(data)  # type: ignore[arg-type]  # bytes; the base names a buffer


def test_line_begins_with_time_level_and_event() -> None:
    with captured_logs() as logs:
        structlog.get_logger().info("hello", answer=42)
    [line] = logs.lines
    assert list(line) == ["timestamp", "level", "event", "answer"]
    assert line["timestamp"].endswith("Z")
    assert (line["level"], line["event"], line["answer"]) == ("info", "hello", 42)


def test_less_severe_lines_than_asked_for_are_not_written() -> None:
    with captured_logs("warning") as logs:
        log = structlog.get_logger()
        log.debug("no")
        log.info("no")
        log.warning("yes")
        log.error("yes")
    assert [line["event"] for line in logs.lines] == ["yes", "yes"]


@pytest.mark.parametrize(
    ("format", "is_terminal", "is_json"),
    [
        ("auto", False, True),
        ("auto", True, False),
        ("json", True, True),
        ("console", False, False),
    ],
)
def test_console_is_for_terminals_unless_told_otherwise(
    format: Literal["auto", "json", "console"], is_terminal: bool, is_json: bool
) -> None:
    stream = Terminal() if is_terminal else io.BytesIO()
    configure_logging("info", format, stream=stream)
    structlog.get_logger().info("hello")
    structlog.reset_defaults()
    assert stream.getvalue().startswith(b"{") == is_json
    assert b"hello" in stream.getvalue()


def test_without_a_stream_logs_go_to_standard_error(capfdbinary: object) -> None:
    capture = capfdbinary
    assert isinstance(capture, pytest.CaptureFixture)
    configure_logging("info", "json")
    structlog.get_logger().info("hello")
    structlog.reset_defaults()
    out, err = capture.readouterr()
    assert out == b""
    assert b"hello" in err


@pytest.mark.parametrize("format", ["json", "console"])
def test_neither_form_shows_secrets_or_texts(format: Literal["json", "console"]) -> None:
    with captured_logs(format=format) as logs:
        log = structlog.get_logger()
        log.info("a", token=Secret(TOKEN), account=an_account(), request=a_request())
        log.info(f"b Bearer {TOKEN}", url="amqp://user:s3cret@host/")
        log.info("c", odd=["\ud800", TOKEN], raw=TEXT.encode())
    assert logs.raw.count(b"\n") == 3
    for secret in (TOKEN, TEXT, "s3cret"):
        assert secret.encode() not in logs.raw


class Unreadable(UserDict[str, object]):
    def items(self) -> Any:
        raise RuntimeError("no")


def test_console_line_that_cannot_be_rendered_is_written_as_json() -> None:
    with captured_logs(format="console") as logs:
        structlog.get_logger().info("odd", value=Unreadable(a=1))
    [line] = logs.lines
    assert line["level"] == "info"


def test_colours_do_not_hide_a_token_from_redaction() -> None:
    stream = Terminal()
    configure_logging("info", "console", stream=stream)
    structlog.get_logger().info("a", token=TOKEN)
    structlog.reset_defaults()
    assert b"\x1b[" in stream.getvalue()
    assert TOKEN.encode() not in stream.getvalue()


def test_console_leaves_out_what_says_nothing() -> None:
    with captured_logs(format="console") as logs:
        structlog.get_logger().info("a", empty=None, zero=0)
    assert b"empty" not in logs.raw
    assert b"zero" in logs.raw


@pytest.mark.parametrize("format", ["json", "console"])
def test_exception_shows_where_it_was_raised_but_not_what_it_quotes(
    format: Literal["json", "console"],
) -> None:
    with captured_logs(format=format) as logs:
        try:
            raise ValueError(TEXT)
        except ValueError:
            structlog.get_logger().exception("failed")
    assert TEXT.encode() not in logs.raw
    assert b"ValueError" in logs.raw
    assert b"test_logs.py" in logs.raw


@pytest.mark.parametrize("name", ["aio_pika", "aiormq", "aiohttp.server", "asyncio", "any.other"])
def test_library_warnings_come_into_the_same_stream(name: str) -> None:
    with captured_logs() as logs:
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).warning("connection %s lost after %d s", "7", 3)
    [line] = logs.lines
    assert (line["event"], line["level"]) == ("connection 7 lost after 3 s", "warning")
    assert line["logger"] == name


def test_library_lines_do_not_quote_the_objects_they_are_about() -> None:
    with captured_logs() as logs:
        log = logging.getLogger("aiormq.channel")
        log.error("Unhandled message %r returning", a_request())
        log.error("error when creating transport: %r", OSError(111, "Connection refused"))
        log.error("Consumer callback failed", exc_info=ValueError(TEXT))
        log.error("%(what)s of %(whom)r", {"what": "loss", "whom": a_request()})
    assert TEXT.encode() not in logs.raw
    assert [line["event"] for line in logs.lines] == [
        "Unhandled message <SendRequest> returning",
        "error when creating transport: <ConnectionRefusedError: [Errno 111] Connection refused>",
        "Consumer callback failed",
        "loss of <SendRequest>",
    ]
    assert logs.lines[2]["exception"] == "ValueError"


async def test_exception_that_a_task_left_behind_is_logged_without_its_text() -> None:
    with captured_logs() as logs:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        error = ValueError(TEXT)
        future.set_exception(error)
        loop.call_exception_handler(
            {"message": "never retrieved", "future": future, "exception": error}
        )
        future.exception()
    [line] = logs.lines
    assert (line["event"], line["exception"]) == ("never retrieved", "ValueError")
    assert TEXT.encode() not in logs.raw


@pytest.mark.parametrize(
    ("text", "args"), [("%d files", ("three",)), ("%s and %s", ("one",)), ("%(a)s", ({"b": 1},))]
)
def test_library_line_whose_arguments_do_not_fit_is_written_without_them(
    text: str, args: tuple[object, ...]
) -> None:
    record = logging.LogRecord("aiormq", logging.WARNING, __file__, 1, text, args, None)
    with captured_logs() as logs:
        # Straight to our handler: the test runner's own would raise over such a record.
        logging.getLogger().handlers[-1].handle(record)
    assert logs.lines[0]["event"] == text


def test_library_levels_of_their_own_are_rounded_down() -> None:
    with captured_logs() as logs:
        logging.getLogger("aiormq").log(35, "noteworthy")
    assert logs.lines[0]["level"] == "warning"


def test_setting_up_twice_writes_each_library_line_once() -> None:
    configure_logging("info", "json", stream=io.BytesIO())
    with captured_logs() as logs:
        logging.getLogger("aiormq").warning("once")
    assert len(logs.lines) == 1


def test_lines_that_cannot_be_written_are_counted_and_told_of_later() -> None:
    stream = FullDisk()
    configure_logging("info", "json", stream=stream)
    log = structlog.get_logger()
    log.info("lost")
    log.info("lost too")
    stream.is_full = False
    log.info("back")
    structlog.reset_defaults()
    notice, line = stream.getvalue().splitlines()
    assert b'"lines":2' in notice
    assert b"back" in line


def test_closed_stream_does_not_stop_the_worker() -> None:
    stream = io.BytesIO()
    configure_logging("info", "json", stream=stream)
    log = structlog.get_logger()
    log.info("before")
    written = stream.getvalue()
    stream.close()
    log.info("after")
    structlog.reset_defaults()
    assert b"before" in written
