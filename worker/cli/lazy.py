"""The commands by name. Only the one that is called is imported: a worker needs no other's modules.

That saves each worker some megabytes, and whoever types a command half of the wait.
"""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

COMMANDS = (
    "worker",
    "sandbox",
    "send",
    "validate",
    "topology",
    "accounts",
    "dead",
    "why",
    "doctor",
    "demo",
)


class LazyCommands(TyperGroup):
    """`worker.cli.<name>` has a function of that name, or an `app` with commands of its own.

    Contexts and commands are of the click inside typer, which has no public name for them.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        return [*COMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"worker.cli.{cmd_name}")
        app = vars(module).get("app")
        if app is None:
            app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            app.command()(vars(module)[cmd_name])
        command = get_command(app)
        command.name = cmd_name
        return command
