"""`igsend sandbox`: run the fake Instagram until it is told to stop."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from worker.sandbox.account_files import AccountsError
from worker.sandbox.accounts import AccountBook
from worker.sandbox.graph_server import running_sandbox
from worker.sandbox.ledger import Ledger
from worker.sandbox.settings import Locale, Settings, UsageSpelling
from worker.sandbox.state import SandboxState
from worker.sandbox.world import World


def sandbox(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8099,
    accounts: Annotated[
        Path | None,
        typer.Option(help="Accounts and tokens, in the formats of IGSEND_ACCOUNTS."),
    ] = None,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="People, comments, posts and messages must be registered."),
    ] = False,
    locale: Annotated[Locale, typer.Option(help="Language of error messages.")] = "en",
    usage_spelling: Annotated[
        UsageSpelling,
        typer.Option(help="Keys of X-App-Usage: as observed live, as documented, or none."),
    ] = "observed",
    keep: Annotated[
        int, typer.Option(min=1, help="Messages and calls kept; the oldest are forgotten.")
    ] = 100_000,
) -> None:
    """Pretend to be graph.instagram.com, for trying out and for tests."""
    book = AccountBook(accounts, environment=os.environ)
    try:
        book.load()
    except AccountsError as error:
        typer.echo(f"--accounts: {error}", err=True)
        raise typer.Exit(2) from None
    state = SandboxState(
        accounts=book,
        world=World(keep=keep),
        ledger=Ledger(keep=keep),
        settings=Settings(strict=strict, locale=locale, usage_spelling=usage_spelling),
    )
    try:
        asyncio.run(_serve(state, host=host, port=port))
    except OSError as error:
        typer.echo(f"Cannot listen on {host}:{port}: {error.strerror}; try --port 0", err=True)
        raise typer.Exit(1) from None


async def _serve(state: SandboxState, *, host: str, port: int) -> None:
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop.set)
    async with running_sandbox(state, host=host, port=port) as running:
        typer.echo(
            f"Sandbox listening at {running.url} with {len(state.accounts.known())} accounts; "
            f"point the worker at it: IGSEND_GRAPH_URL={running.url} "
            f"(endpoints: {running.url}/_sandbox/)"
        )
        await told_to_stop.wait()
