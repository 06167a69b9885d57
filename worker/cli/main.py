"""The argument tree. Exit codes: 0 done, 1 the thing asked for failed, 2 usage or settings."""

import logging
import sys
from typing import Annotated

import typer

from worker import __version__
from worker.cli.failure import CommandFailed, UsageFailed
from worker.cli.lazy import LazyCommands

app = typer.Typer(
    name="igsend",
    cls=LazyCommands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Sends Instagram messages from requests on RabbitMQ.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"igsend {__version__}")
        raise typer.Exit


@app.callback()
def igsend(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show it.")
    ] = False,
) -> None:
    """Sends Instagram messages from requests on RabbitMQ."""


def main() -> None:
    """Run the command line and exit with its code."""
    # Without a handler Python prints warnings itself, next to what the command says.
    for library in ("aio_pika", "aiormq", "igsend.client"):
        logging.getLogger(library).addHandler(logging.NullHandler())
    try:
        app()
    except UsageFailed as failure:
        typer.echo(f"igsend: {failure}", err=True)
        sys.exit(2)
    except CommandFailed as failure:
        typer.echo(f"igsend: {failure}", err=True)
        sys.exit(1)
