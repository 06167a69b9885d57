"""`igsend topology`: show, declare, check or export exchanges, queues and bindings."""

import asyncio
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from worker.asyncapi.document import asyncapi_document
from worker.asyncapi.yaml import yaml_of
from worker.cli.broker import wire_connection_to
from worker.cli.failure import CommandFailed, config_from_environment
from worker.config import Config
from worker.rabbit.declare import Finding, TopologyError
from worker.rabbit.declare import check as check_topology
from worker.rabbit.declare import declare as declare_topology
from worker.rabbit.names import Names
from worker.rabbit.topology import Topology, definitions_of, topology_of
from worker.rabbit.users import user_definitions, users_of

app = typer.Typer(no_args_is_help=True, help="Exchanges, queues and bindings on the broker.")

Json = Annotated[bool, typer.Option("--json", help="One JSON document instead.")]


def _wanted(config: Config) -> Topology:
    return topology_of(Names(config.prefix, config.partitions))


@app.command()
def show(json: Json = False) -> None:
    """Print what the worker needs; no broker is asked."""
    topology = _wanted(config_from_environment())
    rows = [("exchange", e.name, e.type, dict(e.arguments)) for e in topology.exchanges]
    rows += [("queue", q.name, "quorum", dict(q.arguments)) for q in topology.queues]
    rows += [
        ("binding", b.source, f"-> {b.destination}", {"routing_key": b.routing_key})
        for b in topology.bindings
    ]
    if json:
        keys = ("kind", "name", "type", "arguments")
        _print_json([dict(zip(keys, row, strict=True)) for row in rows])
        return
    table = Table("kind", "name", "type", "arguments")
    for kind, name, type_, arguments in rows:
        table.add_row(kind, name, type_, ", ".join(f"{k}={v}" for k, v in arguments.items()))
    Console().print(table)


@app.command()
def declare() -> None:
    """Declare everything; needs a user with configure permission. Safe to repeat."""
    config = config_from_environment()
    topology = _wanted(config)
    try:
        asyncio.run(_declare(config, topology))
    except TopologyError as error:
        raise CommandFailed(str(error)) from None
    typer.echo(
        f"declared {len(topology.exchanges)} exchanges, {len(topology.queues)} queues and "
        f"{len(topology.bindings)} bindings"
    )


@app.command()
def check(json: Json = False) -> None:
    """Compare the broker with what the worker needs; exit 1 when something is wrong."""
    config = config_from_environment()
    try:
        findings = asyncio.run(_check(config, _wanted(config)))
    except TopologyError as error:
        raise CommandFailed(str(error)) from None
    wrong = [finding for finding in findings if finding.state in {"missing", "different"}]
    if json:
        _print_json(
            [
                {"kind": f.kind, "name": f.name, "state": f.state, "detail": f.detail}
                for f in findings
            ]
        )
    else:
        _print_findings(findings)
    if wrong:
        raise CommandFailed(
            f"{len(wrong)} of {len(findings)} exchanges and queues are not as needed; missing "
            "ones are created by `igsend topology declare`"
        )


@app.command()
def export(
    vhost: Annotated[str, typer.Option(help="The vhost to write into the document.")] = "/",
) -> None:
    """Print the topology as definitions JSON, for `rabbitmqctl import_definitions`."""
    _print_json(definitions_of(_wanted(config_from_environment()), vhost=vhost))


@app.command()
def asyncapi(json: Json = False) -> None:
    """Print the contract for producers as an AsyncAPI document, in YAML; no broker is asked."""
    config = config_from_environment()
    document = asyncapi_document(Names(config.prefix, config.partitions))
    if json:
        _print_json(document)
    else:
        typer.echo(yaml_of(document), nl=False)


@app.command()
def users(
    vhost: Annotated[str, typer.Option(help="The vhost they may use.")] = "/",
    passwords: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="A file per user (producer, worker, ...) with its password; only hashes are "
            "printed. A user without a file cannot log in.",
        ),
    ] = None,
) -> None:
    """Print the least-privilege users as definitions, for `rabbitmqctl import_definitions`."""
    prefix = config_from_environment().prefix
    known = {} if passwords is None else _passwords_in(passwords, prefix)
    _print_json(user_definitions(prefix, vhost=vhost, passwords=known))


def _passwords_in(folder: Path, prefix: str) -> dict[str, str]:
    names = [user.name for user in users_of(prefix)]
    found = {}
    for file in (folder / name for name in names):
        try:
            found[file.name] = file.read_text().strip()
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise CommandFailed(f"--passwords: cannot read {file}: {why}") from None
        if not found[file.name]:
            raise CommandFailed(f"--passwords: {file} is empty; write the password into it")
    if not found:
        raise CommandFailed(
            f"--passwords: {folder} has none of the files {', '.join(names)}; write at least one"
        )
    return found


async def _declare(config: Config, topology: Topology) -> None:
    async with wire_connection_to(config) as connection:
        await declare_topology(connection, topology)


async def _check(config: Config, topology: Topology) -> list[Finding]:
    async with wire_connection_to(config) as connection:
        return await check_topology(connection, topology)


def _print_findings(findings: list[Finding]) -> None:
    for finding in findings:
        if finding.state != "ok":
            typer.echo(f"{finding.state:9} {finding.kind} {finding.name}: {finding.detail}")
    good = sum(finding.state == "ok" for finding in findings)
    typer.echo(f"{good} of {len(findings)} exchanges and queues are as needed")


def _print_json(document: object) -> None:
    typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
