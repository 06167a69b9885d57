"""`igsend accounts`: which accounts may be called, what they have left, and what waits for them."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from worker.cli.account_check import check
from worker.cli.account_refresh import refresh
from worker.cli.account_source import check_ids
from worker.cli.failure import CommandFailed, config_from_environment
from worker.cli.inspection import inspection_of
from worker.cli.phrases import with_codes
from worker.config import Config

app = typer.Typer(no_args_is_help=True, help="Accounts: open or closed, limits, backlog, tokens.")

Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]

ROWS = 100

app.command()(check)
app.command()(refresh)


@app.command()
def ls(
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
    closed: Annotated[bool, typer.Option(help="Only those that are not open.")] = False,
    busy: Annotated[bool, typer.Option(help="Only those with requests parked.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help=f"At most so many. [default: {ROWS}; all with --json]")
    ] = None,
) -> None:
    """List the accounts with their state, the calls they have left, and what is parked."""
    config = config_from_environment()
    if json:
        asyncio.run(_print_lines(config, closed=closed, busy=busy, limit=limit))
    else:
        asyncio.run(_print_table(config, closed=closed, busy=busy, limit=limit or ROWS))


@app.command()
def show(account: str, json: Json = False) -> None:
    """Show everything of one account: closure, limits in force, each bucket's state."""
    check_ids([account])
    found = asyncio.run(_account(config_from_environment(), account))
    if found is None:
        raise CommandFailed(f"{account} is not among the accounts of IGSEND_ACCOUNTS")
    if json:
        typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
        return
    for line in _summary(found):
        typer.echo(line)
    Console().print(_bucket_table(found))


def seconds_between(earlier: str, later: str) -> float:
    """Subtract two moments in RFC 3339."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def in_words(moment: str, now: str) -> str:
    """Say how far away a moment is, both in RFC 3339."""
    seconds = seconds_between(now, moment)
    for unit, length_s in (("h", 3600.0), ("min", 60.0), ("s", 1.0)):
        if abs(seconds) >= 2 * length_s or unit == "s":
            count = f"{abs(seconds) / length_s:.1f}".removesuffix(".0")
            break
    if count == "0":
        return "now"
    return f"in {count} {unit}" if seconds > 0 else f"{count} {unit} ago"


async def _found(
    config: Config, *, closed: bool, busy: bool, limit: int | None
) -> AsyncGenerator[dict[str, Any], None]:
    """Give the accounts one by one as they are read, and at last how many there are in all."""
    async with inspection_of(config) as inspection:
        start: Any = 0
        given = 0
        while start is not None:
            page: Mapping[str, Any] = await inspection.accounts(
                start=start, closed=closed, busy=busy
            )
            for account in page["accounts"]:
                if given == limit:
                    return
                given += 1
                yield account
            start = page["next"]


async def _print_lines(config: Config, *, closed: bool, busy: bool, limit: int | None) -> None:
    # Closed here, so that it is closed in order too when nobody reads the lines any more.
    async with aclosing(_found(config, closed=closed, busy=busy, limit=limit)) as accounts:
        async for account in accounts:
            typer.echo(orjson.dumps(account))


async def _print_table(config: Config, *, closed: bool, busy: bool, limit: int) -> None:
    table = Table()
    for name in ("account", "state", "until", "next slot", "parked"):
        table.add_column(name, no_wrap=True)
    table.add_column("calls left")
    table.add_column("why", min_width=12)
    # One more than is shown tells whether there are more.
    async with aclosing(_found(config, closed=closed, busy=busy, limit=limit + 1)) as accounts:
        found = [account async for account in accounts]
    for account in found[:limit]:
        table.add_row(*_row(account))
    Console().print(table)
    if len(found) > limit:
        typer.echo(f"these are the first {limit}; --limit N shows more, --json all")


def _row(account: Mapping[str, Any]) -> list[str]:
    now, parked = account["now"], account["parked"]
    closure = account["app"] or account["closure"]
    bulk = f" + {parked['bulk']} bulk" if parked["bulk"] else ""
    return [
        account["account_id"],
        account["state"],
        "" if closure is None else in_words(closure["until"], now),
        in_words(account["next_slot"], now),
        f"{parked['interactive']}{bulk}",
        _left(account["buckets"]),
        "" if closure is None else f"{'app: ' if account['app'] else ''}{_why(closure)}",
    ]


def _left(buckets: Mapping[str, Any]) -> str:
    """Name the buckets that are not full."""
    used = {name: each for name, each in buckets.items() if each["left"] < each["burst"]}
    if not used:
        return "all"
    if len(used) == len(buckets) and not any(each["left"] for each in used.values()):
        return "none"
    return ", ".join(f"{name} {each['left']}/{each['burst']}" for name, each in used.items())


def _why(closure: Mapping[str, Any]) -> str:
    return with_codes(closure["why"], closure["code"], closure["subcode"])


async def _account(config: Config, account_id: str) -> Mapping[str, Any] | None:
    async with inspection_of(config, only=account_id) as inspection:
        return await inspection.account(account_id)


def _summary(account: Mapping[str, Any]) -> list[str]:
    now, parked = account["now"], account["parked"]
    lines = [f"{account['account_id']}: {account['state']}"]
    for whose in ("app", "closure"):
        if account[whose] is not None:
            subject = "the whole app" if whose == "app" else "the account"
            lines += _closure_lines(subject, account[whose], now)
    lines.append(f"kept {100 * account['margin']:g} % below its limits")
    if account["bulk_share"] < 1:
        lines.append(f"bulk takes {100 * account['bulk_share']:g} % of each limit at most")
    lines += _settings_lines(account["settings"], now)
    lines.append(
        f"parked by its limits, at most: {parked['interactive']} interactive, {parked['bulk']} bulk"
    )
    lines.append(f"conversations with a queue: {account['conversations']}")
    return lines


def _settings_lines(settings: Mapping[str, Any], now: str) -> list[str]:
    """Tell what its source says of it, where that is not the rule."""
    lines = []
    if settings["human_agent"]:
        lines.append("people may answer for 7 days (human_agent)")
    if settings["check_media"]:
        lines.append("files are looked at before the API is called (check_media)")
    if settings["disclosure_after_s"] is not None:
        others = ", ".join(settings["disclosure_locales"]) or "no other locale"
        lines.append(
            "automated messages are preceded by a disclosure, again after "
            f"{settings['disclosure_after_s']:g} s without a message; texts for {others}"
        )
    if settings["graph_version"] is not None:
        lines.append(f"calls {settings['graph_version']} of the API (graph_version)")
    if settings["expires_at"] is not None:
        lines.append(
            f"its token ends {settings['expires_at']} ({in_words(settings['expires_at'], now)})"
        )
    return lines


def _closure_lines(subject: str, closure: Mapping[str, Any], now: str) -> list[str]:
    lines = [f"{subject} is closed: {_why(closure)}"]
    if closure["since"] is not None:
        lines.append(f"  since {closure['since']} ({in_words(closure['since'], now)})")
    lines.append(f"  until {closure['until']} ({in_words(closure['until'], now)})")
    if closure["is_asking"]:
        lines.append("  one request asks just now whether it is open again")
    elif closure["is_final"]:
        lines.append("  opens at once with a new token; then one request asks again")
    if closure["strikes"] is not None:
        lines.append(f"  strikes: {closure['strikes']}")
    return lines


def _bucket_table(account: Mapping[str, Any]) -> Table:
    table, now = Table(), account["now"]
    for name in ("bucket", "limit", "one per", "left", "next slot", "parked", "bulk", "until"):
        table.add_column(name, no_wrap=True)
    for name, bucket in account["buckets"].items():
        until = bucket["parked_until"]
        table.add_row(
            name,
            f"{bucket['limit']}{' (own)' if bucket['is_override'] else ''}",
            _interval(bucket["interval_s"]),
            f"{bucket['left']}/{bucket['burst']}",
            in_words(bucket["next_slot"], now),
            str(bucket["parked"]["interactive"]),
            str(bucket["parked"]["bulk"]),
            "" if until is None else in_words(until, now),
        )
    return table


def _interval(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
