"""The options that all `igsend dead` commands share, and what they mean."""

import getpass
import time
from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from worker.cli.failure import UsageFailed
from worker.core.kind import Kind
from worker.core.reason import Reason
from worker.dead.order import EditFailed, operator_name, patch_from
from worker.dead.selection import Selection, code_from, moment_from, where_from

Why = Annotated[Reason, Argument(help="Which dead-letter queue.", metavar="REASON")]
Limit = Annotated[int | None, Option(min=1, help="At most so many, from the oldest on.")]
Json = Annotated[bool, Option("--json", help="JSON instead of a table.")]
Yes = Annotated[bool, Option("--yes", "-y", help="Do not ask.")]
NoWait = Annotated[bool, Option("--no-wait", help="Give up when another operator is at the queue.")]

_SLOWEST_PER_S = 0.01


def _filters(
    *,
    account: Annotated[list[str] | None, Option("--account", help="Only of this account.")] = None,
    code: Annotated[
        list[str] | None, Option("--code", help="Only with this error: 190, or 190/463.")
    ] = None,
    only: Annotated[list[Reason] | None, Option("--reason", help="Only with this reason.")] = None,
    since: Annotated[str | None, Option(help="Only dead since then: 2h, 3d, or RFC 3339.")] = None,
    until: Annotated[str | None, Option(help="Only dead before that: 30m, or RFC 3339.")] = None,
    request_id: Annotated[list[str] | None, Option("--id", help="Only this request.")] = None,
    kind: Annotated[list[Kind] | None, Option("--kind", help="Only with such a part.")] = None,
    where: Annotated[
        list[str] | None, Option("--where", help="Only with this in the body: metadata.tag=spring")
    ] = None,
) -> Selection:
    """Read the filters; raises UsageFailed that says which one is wrong."""
    now = time.time()
    try:
        return Selection(
            accounts=frozenset(account or ()),
            codes=frozenset(map(code_from, code or ())),
            reasons=frozenset(only or ()),
            ids=frozenset(request_id or ()),
            kinds=frozenset(kind or ()),
            since=None if since is None else moment_from(since, now=now),
            until=None if until is None else moment_from(until, now=now),
            where=tuple(map(where_from, where or ())),
        )
    except ValueError as error:
        raise UsageFailed(str(error)) from None


def with_filters(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of every filter; it gets them as its argument `selection`."""
    own, filters = signature(command), signature(_filters)

    @wraps(command)
    def filtering(**options: Any) -> None:
        chosen = {name: options.pop(name) for name in filters.parameters}
        command(selection=_filters(**chosen), **options)

    parameters = [each for name, each in own.parameters.items() if name != "selection"]
    first = [each.replace(kind=Parameter.KEYWORD_ONLY) for each in parameters]
    # What typer reads the options from.
    filtering.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=[*first, *filters.parameters.values()]
    )
    filtering.__annotations__ = {**_filters.__annotations__, **command.__annotations__}
    return filtering


def rate_from(text: str | None) -> float | None:
    """Read `200/s` or `200`, in requests a second."""
    if text is None:
        return None
    try:
        rate = float(text.removesuffix("/s"))
    except ValueError:
        rate = 0.0
    # Slower, and the broker would take the letters back between two of them.
    if not _SLOWEST_PER_S <= rate < float("inf"):
        raise UsageFailed(
            f"--rate {text}: write how many a second, {_SLOWEST_PER_S} or more, for example 200/s"
        )
    return rate


def share_from(text: str) -> float:
    """Read `20%` or `0.2`."""
    try:
        share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise UsageFailed(f"--max-failures {text}: write a share of all, for example 20%")
    return share


def edit_from(text: str | None) -> list[dict[str, Any]] | None:
    """Read a JSON Patch given as such, or the file that holds one."""
    if text is None:
        return None
    try:
        patch = text if text.lstrip().startswith("[") else Path(text.removeprefix("@")).read_text()
        return patch_from(patch)
    except OSError as error:
        raise UsageFailed(f"--edit: cannot read {text}: {error.strerror}") from None
    except EditFailed as failed:
        raise UsageFailed(f"--edit: {failed}") from None


def operator_from(name: str | None) -> str:
    """Take the name given, or that of the system's user."""
    if name is not None:
        return operator_name(name)
    try:
        return operator_name(getpass.getuser())
    except (KeyError, OSError):
        return operator_name("")
