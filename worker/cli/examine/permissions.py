"""What the user may do on the broker: all that a worker with these settings does."""

from aiormq.abc import AbstractConnection

from worker.cli.broker import wire_connection_to
from worker.cli.examine.line import Line, Verdict
from worker.config import Config
from worker.rabbit.names import DELAY_LEVELS, Names
from worker.rabbit.rights import (
    DEFAULT_EXCHANGE,
    may_configure,
    may_consume,
    may_divert,
    may_publish,
)

_WHAT = "permissions"
_ADVICE = "`igsend topology users` prints what each user needs"


async def permissions(config: Config, names: Names) -> Line:
    """Ask over a connection of its own: each refusal costs a channel, and an alarm all of them."""
    async with wire_connection_to(config) as connection:
        missing = await _missing(connection, names)
        if config.declare and not await may_configure(connection, names.bulk_queue):
            found = f"this user may not configure {config.prefix}.*, and IGSEND_DECLARE is true"
            advice = "set IGSEND_DECLARE=false, and let the deployer run `igsend topology declare`"
            return Line(Verdict.FAIL, _WHAT, found, advice)
        wanting = await _wanting(connection, names, diverts=config.divert)
    if missing:
        found = f"this user may not {'; '.join(missing)}: a worker could not work"
        return Line(Verdict.FAIL, _WHAT, found, _ADVICE)
    if wanting:
        return Line(Verdict.WARN, _WHAT, f"this user may not {'; '.join(wanting)}", _ADVICE)
    return Line(Verdict.OK, _WHAT, "this user may do all that a worker does")


async def _missing(connection: AbstractConnection, names: Names) -> list[str]:
    """Say what a worker cannot do without."""
    delays = [names.delay(level) for level in range(DELAY_LEVELS)]
    unwritable = [
        exchange
        for exchange in (names.dead, names.outcomes, *delays)
        if not await may_publish(connection, exchange)
    ]
    unreadable = [queue for queue in names.intake if not await may_consume(connection, queue)]
    return [
        f"{verb} {_some(names)}"
        for verb, names in (("write to", unwritable), ("read", unreadable))
        if names
    ]


async def _wanting(connection: AbstractConnection, names: Names, *, diverts: bool) -> list[str]:
    """Say what a worker does without, if it must."""
    wanting = []
    if not await may_publish(connection, DEFAULT_EXCHANGE):
        wanting.append("write to the default exchange (outcomes do not go to reply_to)")
    if diverts and not await may_divert(connection, names):
        wanting.append(f"bind {names.requests} to {names.bulk} (no account is diverted)")
    return wanting


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
