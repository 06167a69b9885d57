"""Prints the figures of several workers on one Redis: `python -m tests.replicas.measure --help`.

Each run has a broker, a Redis, a sandbox and workers of its own, on this machine.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tests.replicas import (
    disclosure,
    hpa,
    isolation,
    limits,
    order,
    redis_faults,
    rolling,
    throttled,
    tokens,
)
from tests.replicas.site import Ground
from tests.replicas.windows import Allowed
from tests.replicas.work import allowed_from
from tests.support.nodes import installation
from worker.local.rabbitmq import private_rabbitmq
from worker.local.termination import cancelled_by_sigterm

# One more argument for some: which runs to make, each on a broker of its own.
Run = Callable[[Ground, Any, str], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario as a command: its sizes are options, `variants` its possible arguments."""

    help: str
    sizes: Any
    run: Run
    show: Callable[[Sequence[Any]], object]
    variants: tuple[str, ...] = ()


async def _limits(ground: Ground, sizes: Any, _: str) -> Any:
    return await limits.run(ground, sizes)


async def _order(ground: Ground, sizes: Any, _: str) -> Any:
    return await order.run(ground, sizes)


async def _throttled(ground: Ground, sizes: Any, _: str) -> Any:
    return await throttled.run(ground, sizes)


async def _tokens(ground: Ground, sizes: Any, _: str) -> Any:
    return await tokens.run(ground, sizes)


async def _disclosure(ground: Ground, sizes: Any, _: str) -> Any:
    return await disclosure.run(ground, sizes)


async def _isolation(ground: Ground, sizes: Any, kind: Any) -> Any:
    return await isolation.run(ground, sizes, kind)


async def _redis_faults(ground: Ground, sizes: Any, fault: Any) -> Any:
    return await redis_faults.run(ground, sizes, fault)


async def _rolling(ground: Ground, sizes: Any, _: str) -> Any:
    return await rolling.run(ground, sizes)


async def _hpa(ground: Ground, sizes: Any, kind: Any) -> Any:
    return await hpa.run(ground, sizes, kind)


def _first_table(found: Sequence[Any]) -> object:
    return found[0].table()


SCENARIOS: Mapping[str, Scenario] = {
    "limits": Scenario("floods: no window too full", limits.Limits(), _limits, _first_table),
    "isolation": Scenario(
        "one account's flood: quiet ones do not wait",
        isolation.Isolation(), _isolation, isolation.table, isolation.KINDS,
    ),
    "throttled": Scenario(
        "429 for a minute: no call before it is over",
        throttled.Throttling(), _throttled, _first_table,
    ),
    "order": Scenario("conversations: one call at a time", order.Ordering(), _order, _first_table),
    "redis-faults": Scenario(
        "Redis dies, freezes or forgets under load",
        redis_faults.RedisFaults(), _redis_faults, redis_faults.table, redis_faults.FAULTS,
    ),
    "tokens": Scenario(
        "a token is replaced, revoked, mended", tokens.Tokens(), _tokens, _first_table
    ),
    "rolling": Scenario(
        "every worker is replaced under load", rolling.Rolling(), _rolling, _first_table
    ),
    "hpa": Scenario(
        "an autoscaler: bursts scale out and back, hot accounts do not",
        hpa.Hpa(), _hpa, hpa.table, hpa.KINDS,
    ),
    "disclosure": Scenario(
        "people are told once that a bot talks",
        disclosure.Disclosing(), _disclosure, _first_table,
    ),
}  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    """Run one scenario, all of its variants unless some are named, and print the table."""
    options = _parser().parse_args(arguments)
    scenario = SCENARIOS[options.scenario]
    sizes = _sizes(scenario.sizes, options)
    variants = getattr(options, "variants", None) or scenario.variants or ("",)
    found = asyncio.run(_run(scenario, sizes, variants, options.folder))
    sys.stdout.write(f"{scenario.show(found)}\n- sizes: {sizes}\n")


async def _run(
    scenario: Scenario, sizes: Any, variants: Sequence[str], folder: Path | None
) -> list[Any]:
    found = []
    with cancelled_by_sigterm():
        for variant in variants:
            sys.stderr.write(f"running {variant or 'the scenario'}\n")
            async with private_rabbitmq(installation=installation()) as node:
                ground = Ground(node.amqp_url, pids=node.pids, folder=folder)
                found.append(await scenario.run(ground, sizes, variant))
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.replicas.measure", description=__doc__)
    commands = parser.add_subparsers(dest="scenario", required=True)
    for name, scenario in SCENARIOS.items():
        command = commands.add_parser(
            name, help=scenario.help, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        command.add_argument("--folder", type=Path, help="keep logs and evidence there")
        for field in fields(scenario.sizes):
            default = getattr(scenario.sizes, field.name)
            if field.name == "allowed":
                for bucket, allowed in default.items():
                    _option(command, bucket, allowed_from, allowed)
            else:
                _option(command, field.name, type(default), default)
        if scenario.variants:
            command.add_argument(
                "variants", nargs="*", metavar="VARIANT", help=", ".join(scenario.variants)
            )
    return parser


def _option(command: argparse.ArgumentParser, name: str, kind: Any, default: Any) -> None:
    command.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default, help=" ")


def _sizes(defaults: Any, options: argparse.Namespace) -> Any:
    """Take the sizes from the options; limits from the options named for their buckets."""
    given: dict[str, Any] = {}
    for field in fields(defaults):
        if field.name == "allowed":
            buckets: Mapping[str, Allowed] = defaults.allowed
            given["allowed"] = {bucket: getattr(options, bucket) for bucket in buckets}
        else:
            given[field.name] = getattr(options, field.name)
    return type(defaults)(**given)


if __name__ == "__main__":
    main(sys.argv[1:])
