"""`igsend doctor`: look at everything the worker needs, and say what to do about the rest."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Annotated

import orjson
import typer

from worker.cli.examine.accounts import accounts
from worker.cli.examine.api import api
from worker.cli.examine.broker import broker
from worker.cli.examine.gate import gate
from worker.cli.examine.line import Line, Verdict
from worker.cli.examine.machine import files, memory, tracing
from worker.cli.failure import CommandFailed, config_from_environment
from worker.config import Config


def doctor(
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Check settings, broker, topology, accounts, API and limits; exit 1 when one fails."""
    config = config_from_environment()
    if not json:
        for name, value in config.shown().items():
            typer.echo(f"      {name}={value}")
    lines = asyncio.run(_examine(config, print_each=not json))
    if json:
        report = {
            "settings": config.shown(),
            "checks": [
                {"verdict": x.verdict, "what": x.what, "found": x.found, "advice": x.advice}
                for x in lines
            ],
        }
        typer.echo(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())
    failed = [line.what for line in lines if line.verdict is Verdict.FAIL]
    if failed:
        raise CommandFailed(f"not fit to run: {', '.join(failed)}")


async def _examine(config: Config, *, print_each: bool) -> list[Line]:
    lines = []
    async for line in _lines(config):
        lines.append(line)
        if print_each:
            advice = f" -> {line.advice}" if line.advice else ""
            typer.echo(f"{line.verdict:4}  {line.what}: {line.found}{advice}")
    return lines


async def _lines(config: Config) -> AsyncIterator[Line]:
    for line in await accounts(config):
        yield line
    yield await api(config)
    for line in await broker(config):
        yield line
    for line in await gate(config):
        yield line
    yield files(config)
    yield memory(config)
    yield tracing(os.environ)
