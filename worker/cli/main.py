"""The argument tree. Exit codes: 0 done, 1 the thing asked for failed, 2 usage or settings."""

import logging
import sys
from typing import Annotated

import typer

from worker import __version__
from worker.cli import accounts, dead, topology
from worker.cli.demo import demo
from worker.cli.doctor import doctor
from worker.cli.failure import CommandFailed, UsageFailed
from worker.cli.sandbox import sandbox
from worker.cli.send import send
from worker.cli.validate import validate
from worker.cli.why import why
from worker.cli.worker import worker

app = typer.Typer(
    name="igsend",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Sends Instagram messages from requests on RabbitMQ.",
)
app.command()(worker)
app.command()(sandbox)
app.command()(send)
app.command()(validate)
app.add_typer(topology.app, name="topology")
app.add_typer(accounts.app, name="accounts")
app.add_typer(dead.app, name="dead")
app.command()(why)
app.command()(doctor)
app.command()(demo)


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
    # Without a handler Python prints their warnings itself, next to what the command says.
    for library in ("aio_pika", "aiormq"):
        logging.getLogger(library).addHandler(logging.NullHandler())
    try:
        app()
    except UsageFailed as failure:
        typer.echo(f"igsend: {failure}", err=True)
        sys.exit(2)
    except CommandFailed as failure:
        typer.echo(f"igsend: {failure}", err=True)
        sys.exit(1)
