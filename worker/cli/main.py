"""The argument tree. Exit codes: 0 done, 1 the thing asked for failed, 2 usage or settings."""

import sys
from typing import Annotated

import typer

from worker import __version__
from worker.cli import demo, doctor, sandbox, send, topology, validate, worker
from worker.cli.failure import CommandFailed, UsageFailed

app = typer.Typer(
    name="igsend",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Sends Instagram messages from requests on RabbitMQ.",
)
app.command()(worker.worker)
app.command()(sandbox.sandbox)
app.command()(send.send)
app.command()(validate.validate)
app.add_typer(topology.app, name="topology")
app.command()(doctor.doctor)
app.command()(demo.demo)


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
    try:
        app()
    except UsageFailed as failure:
        typer.echo(f"igsend: {failure}", err=True)
        sys.exit(2)
    except CommandFailed as failure:
        typer.echo(f"igsend: {failure}", err=True)
        sys.exit(1)
