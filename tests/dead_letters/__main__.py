"""Tries the dead-letter tool at its full size: `python -m tests.dead_letters --help`."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import fields

from tests.dead_letters import canary, kills, looks, one_account, two_operators
from tests.dead_letters.report import Found
from worker.local.termination import cancelled_by_sigterm

_SCENARIOS = {
    "one-account": one_account,
    "kills": kills,
    "canary": canary,
    "two-operators": two_operators,
    "looks": looks,
}


def main(arguments: Sequence[str]) -> int:
    """Play one scenario, print what was found; 1 when something is wrong."""
    options = vars(_parser().parse_args(arguments))
    scenario = _SCENARIOS[options.pop("scenario")]
    as_json = options.pop("json")

    async def play() -> Found:
        with cancelled_by_sigterm():
            found: Found = await scenario.run(scenario.Sizes(**options))
            return found

    found = asyncio.run(play())
    told = {"scenario": found.scenario, **found.figures, "troubles": found.troubles}
    sys.stdout.write(f"{json.dumps(told, default=str) if as_json else found.text()}\n")
    return 1 if found.troubles else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.dead_letters", description=__doc__)
    scenarios = parser.add_subparsers(dest="scenario", required=True)
    for name, scenario in _SCENARIOS.items():
        one = scenarios.add_parser(
            name,
            help=scenario.__doc__,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        one.add_argument("--json", action="store_true", help="one JSON object")
        for size in fields(scenario.Sizes):
            kind = type(size.default)
            one.add_argument(
                f"--{size.name.replace('_', '-')}", type=kind, default=size.default, help=" "
            )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
