"""`igsend dead`: look at dead letters, put them back, take them out, carry them elsewhere."""

import typer

from worker.cli.dead.files import discard, export, import_
from worker.cli.dead.look import ls, show
from worker.cli.dead.replay import replay

app = typer.Typer(no_args_is_help=True, help="Dead letters: look, replay, export, discard.")
app.command()(ls)
app.command()(show)
app.command()(replay)
app.command()(export)
app.command("import")(import_)
app.command()(discard)
