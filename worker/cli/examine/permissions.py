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
_NOT_DECLARING = (
    "set IGSEND_DECLARE=false, and let the deployer run `igsend topology declare`; " + _ADVICE
)


async def permissions(config: Config, names: Names) -> Line:
    """Ask over a connection of its own: each refusal costs a channel, and an alarm all of them."""
    async with wire_connection_to(config) as connection:
        missing = await _missing(connection, names)
        may_declare = not config.declare or await may_configure(connection, names.bulk_queue)
        wanting = await _wanting(connection, names, diverts=config.divert)
    if not may_declare:
        missing.append(f"configure {config.prefix}.*, and IGSEND_DECLARE is true")
    if missing:
        found = f"this user may not {'; '.join(missing)}: a worker could not work"
        return Line(Verdict.FAIL, _WHAT, found, _ADVICE if may_declare else _NOT_DECLARING)
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
    refused = (("write to", unwritable), ("read", unreadable))
    return [f"{verb} {_some(objects)}" for verb, objects in refused if objects]


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
