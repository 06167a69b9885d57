"""`igsend dead replay`: put letters back, slowly if told so, and stop when it does not go well."""

import sys
import time
from typing import Annotated

import orjson
import typer

from worker.cli.dead.options import (
    Json,
    Limit,
    NoWait,
    Why,
    Yes,
    edit_from,
    operator_from,
    rate_from,
    share_from,
    with_filters,
)
from worker.cli.dead.run import agreed, run, the_queue
from worker.cli.dead.tables import progress, reading, say_plan
from worker.cli.failure import CommandFailed, UsageFailed
from worker.core.delivery import Lane
from worker.core.reason import Reason
from worker.core.replay import Doubt
from worker.dead.order import Order, batch_name
from worker.dead.queue import Plan
from worker.dead.replay import Tally
from worker.dead.selection import Selection


@with_filters
def replay(
    reason: Why,
    selection: Selection,
    *,
    limit: Limit = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    lane: Annotated[Lane, typer.Option(help="Replays wait behind what people wait for.")] = (
        Lane.BULK
    ),
    rate: Annotated[str | None, typer.Option(help="So many a second: 200/s.")] = None,
    canary: Annotated[
        int | None,
        typer.Option(min=1, help="Send so many, wait for their outcomes, then twice as many …"),
    ] = None,
    max_failures: Annotated[
        str, typer.Option(help="Stop when a larger share of a batch fails.")
    ] = "20%",
    canary_wait: Annotated[
        float,
        # For longer than that a broker does not leave letters in somebody's hands.
        typer.Option(min=1, max=1200, help="Stop when no outcome comes for so many seconds."),
    ] = 60.0,
    verify: Annotated[
        bool, typer.Option("--verify", help="unconfirmed: ask the conversation first.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="unconfirmed: send again, whether it went or not.")
    ] = False,
    edit: Annotated[
        str | None, typer.Option(help="JSON Patch, or the file with one: a new id, checked anew.")
    ] = None,
    operator: Annotated[str | None, typer.Option(help="Who you are. [default: the user]")] = None,
    yes: Yes = False,
    json: Json = False,
    no_wait: NoWait = False,
) -> None:
    """Put letters back. Parts that were sent are not sent again; what stays keeps its place."""
    order = Order(
        batch=batch_name(time.time()),
        operator=operator_from(operator),
        lane=lane,
        rate_per_s=rate_from(rate),
        canary=canary,
        most_failures=share_from(max_failures),
        patience_s=canary_wait,
        limit=limit,
        doubt=_doubt(reason, verify=verify, force=force),
        edit=edit_from(edit),
    )
    if not (yes or dry_run or sys.stdin.isatty()):
        raise UsageFailed("nobody can be asked here; add --yes, or --dry-run to see what would go")
    run(_replay(reason, selection, order, asks=not yes, is_dry=dry_run, as_json=json,
                 no_wait=no_wait))  # fmt: skip


def _doubt(reason: Reason, *, verify: bool, force: bool) -> Doubt | None:
    if verify and force:
        raise UsageFailed("--verify and --force exclude each other")
    if reason is Reason.UNCONFIRMED and not (verify or force):
        raise UsageFailed(
            "these may have been sent: --verify asks each conversation first, --force sends them "
            "again"
        )
    if verify:
        return Doubt.VERIFY
    return Doubt.RESEND if force else None


async def _replay(
    reason: Reason,
    selection: Selection,
    order: Order,
    *,
    asks: bool,
    is_dry: bool,
    as_json: bool,
    no_wait: bool,
) -> None:
    async with the_queue(reason, no_wait=no_wait) as queue:
        with reading(queue.total):
            plan = await queue.plan(selection, order)
        if is_dry or not as_json:
            say_plan(plan, order)
        if is_dry:
            tally = plan.skipped
            tally.total = queue.total
        else:
            if asks and plan.going and not await agreed("Replay them?"):
                raise CommandFailed("nothing was replayed")
            tally = Tally(queue.total)
            try:
                with progress(plan.going) as on_progress:
                    await queue.replay(selection, order, tally=tally, on_progress=on_progress)
            except BaseException:
                tally.stopped = "it did not come to its end; standard error says why"
                _tell(reason, order, plan, tally, is_dry=False, as_json=as_json)
                raise
    _tell(reason, order, plan, tally, is_dry=is_dry, as_json=as_json)
    if tally.stopped is not None:
        raise CommandFailed(f"stopped: {tally.stopped}")
    if not is_dry and tally.replayed < plan.selected and order.limit is None:
        raise CommandFailed(
            f"{plan.selected - tally.replayed} selected letters were not replayed; --dry-run says "
            "why"
        )


def _tell(
    reason: Reason, order: Order, plan: Plan, tally: Tally, *, is_dry: bool, as_json: bool
) -> None:
    if as_json:
        head = {
            "batch": order.batch,
            "reason": reason.value,
            "dry_run": is_dry,
            "selected": plan.selected,
        }
        typer.echo(orjson.dumps({**head, **tally.document(), "examples": tally.examples}))
    elif not is_dry:
        typer.echo(
            f"replayed {tally.replayed} of {plan.selected} selected as batch {order.batch}; "
            f"{tally.left} are left in the queue"
        )
