"""`igsend send`: publish requests with confirms, and with --wait show how each ended."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import chain, islice
from pathlib import Path

import orjson
import typer

from worker.cli.broker import connection_to
from worker.cli.failure import CommandFailed, UsageFailed, config_from_environment
from worker.cli.lines import Line, read_requests
from worker.cli.sending import options as given
from worker.cli.sending.campaign import opened_campaign
from worker.cli.sending.failed import FailedLines, failed_lines
from worker.cli.sending.report import Show, invalid_outcome, print_outcome, progress
from worker.cli.sending.run import Options, Run
from worker.client import CannotConnect, Client, InvalidRequest
from worker.client.prepared import prepared
from worker.config import Config

_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(?:/([smh]))?")
_PERIODS_S = {"s": 1, "m": 60, "h": 3600}


def send(
    source: given.Source,
    *,
    template: given.OfTemplate = None,
    lane: given.OfLane = given.LaneName.INTERACTIVE,
    rate: given.Rate = None,
    wait: given.Wait = None,
    failed: given.OfFailed = None,
    dry_run: given.DryRun = False,
    skip: given.Skip = 0,
    timeout: given.Timeout = 60.0,
    delimiter: given.Delimiter = None,
    encoding: given.Encoding = None,
    json: given.Json = False,
) -> None:
    """Publish send-requests; exit 1 when one is invalid or, with --wait, not sent."""
    options = Options(lane.value, _per_second(rate), wait, timeout, json)
    config = None if dry_run else config_from_environment()
    with ExitStack() as stack:
        header, total = b"", None
        if template is not None:
            campaign = stack.enter_context(
                opened_campaign(source, template, delimiter=delimiter, encoding=encoding)
            )
            lines, total, header = campaign.lines(), campaign.total, campaign.table.header
        else:
            _check_no_table(source, delimiter, encoding)
            lines, total = read_requests(source), _size_of(source)
        # What cannot be read is told before anything is published.
        first = list(islice(lines, skip, skip + 1))
        lines = chain(first, lines)
        if config is None:
            _print_all(lines)
            return
        kept = stack.enter_context(failed_lines(failed, header))
        show = stack.enter_context(progress(total))
        asyncio.run(_send(config, lines, options, kept, show, skipped=skip))


def _per_second(rate: str | None) -> float | None:
    if rate is None:
        return None
    found = _RATE.fullmatch(rate.strip())
    if found is None or float(found[1]) == 0:
        raise UsageFailed(f"--rate: {rate!r} is not a rate; write 20/s, 600/m or 5000/h")
    return float(found[1]) / _PERIODS_S[found[2] or "s"]


def _check_no_table(source: str, delimiter: str | None, encoding: str | None) -> None:
    if delimiter is not None or encoding is not None:
        raise UsageFailed("--delimiter and --encoding are for CSV, which needs --template")
    if source.lower().endswith((".csv", ".tsv")):
        raise UsageFailed(f"{source} is a table: say with --template what to make of its rows")


def _size_of(source: str) -> int | None:
    path = Path(source)
    return path.stat().st_size if source != "-" and path.is_file() else None


def _print_all(lines: Iterator[Line]) -> None:
    """Print each request as one line, and to standard error what is wrong with the others."""
    valid = invalid = 0
    for line in lines:
        try:
            body = prepared(line.body).body
        except InvalidRequest as refused:
            invalid += 1
            print_outcome(invalid_outcome(line, refused), as_json=False, to_stderr=True)
            continue
        valid += 1
        typer.echo(orjson.dumps(orjson.loads(body)).decode())
    typer.echo(f"{valid} requests would be published, {invalid} are invalid", err=True)
    if invalid:
        raise typer.Exit(1)


async def _send(
    config: Config,
    lines: Iterator[Line],
    options: Options,
    failed: FailedLines,
    show: Show,
    *,
    skipped: int,
) -> None:
    async with connection_to(config):
        pass  # the client would try for a while
    url, listens = config.amqp_url.get_secret_value(), options.wait_s is not None
    try:
        async with Client(url, prefix=config.prefix, listens=listens) as client:
            run = Run(client, options, failed, show)
            try:
                await run.send(lines)
            except (CommandFailed, UsageFailed) as failure:  # a file may end in a broken disk
                raise CommandFailed(f"{failure}{_how_to_go_on(run, skipped)}") from None
    except CannotConnect as error:
        raise CommandFailed(str(error)) from None
    _conclude(run, options, skipped)


def _how_to_go_on(run: Run, skipped: int) -> str:
    if not run.tally.seen:
        return ""
    unsure = f"; {run.unsure} more may be there or not" if run.unsure else ""
    return (
        f"\n{run.tally}{unsure}\nto go on, give the same command with --skip "
        f"{skipped + run.tally.seen}; without it all are published again, and none is sent twice"
    )


def _conclude(run: Run, options: Options, skipped: int) -> None:
    tally = run.tally
    if run.is_interrupted and not run.is_published:
        raise CommandFailed(f"stopped{_how_to_go_on(run, skipped)}")
    if not options.as_json:
        typer.echo(str(tally))
    where = f"; their lines are in {run.failed.path}" if run.failed.is_of_use else ""
    if run.is_interrupted and tally.unheard:
        raise CommandFailed("stopped; what has no outcome yet is sent all the same" + where)
    if tally.not_sent:
        raise CommandFailed(f"{tally.not_sent} of {tally.seen} requests were not sent{where}")
