"""Writes the measured part of docs/performance.md, its plot, and the figures as JSON."""

import json
import re
from dataclasses import asdict
from pathlib import Path

from tests.bench.contenders import ROOT
from tests.bench.play import Result
from tests.bench.table import table
from tests.support.commands import environment, run

PAGE = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "performance.png"
_BEGIN, _END = "<!-- bench:begin -->", "<!-- bench:end -->"
_MEASURED = re.compile(f"{_BEGIN}\n.*?{_END}", re.DOTALL)


def section(result: Result) -> str:
    """Write what stands between the markers."""
    sizes, facts = result.sizes, result.facts
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
    return "\n".join(
        (
            f"Measured {facts.date} on {facts.machine}.",
            f"{versions}.",
            "",
            f"{sizes.requests:,} requests over {sizes.accounts} accounts wait in the queue; "
            f"{sizes.rounds} rounds, medians (least–greatest);",
            f"{sizes.in_flight} calls under way, {sizes.prefetch} messages in hand. The sink alone "
            f"takes {facts.sink_per_s:,.0f} POST/s.",
            "",
            table(result.found),
            "",
            f"![The same as bars]({PLOT.name})",
        )
    )


def rewritten(page: str, measured: str) -> str:
    """Put the measured part between the markers of a page, and leave the rest alone."""
    found = _MEASURED.findall(page)
    if len(found) != 1:
        raise ValueError(f"the page needs {_BEGIN} and {_END}, once")
    return page.replace(found[0], f"{_BEGIN}\n{measured}\n{_END}")


def as_json(result: Result) -> dict[str, object]:
    """Give everything as plain values."""
    return {
        "facts": asdict(result.facts),
        "sizes": asdict(result.sizes),
        "contenders": [asdict(figures) for figures in result.found],
    }


async def draw(result: Result, file: Path) -> None:
    """Draw the plot, in the environment that has matplotlib."""
    finished = await run(
        ROOT / ".venv-bench" / "bin" / "python", "-m", "tests.bench.plot", file,
        settings=environment({"PYTHONPATH": str(ROOT)}),
        given=json.dumps(as_json(result)).encode(),
    )  # fmt: skip
    if finished.code != 0:
        raise RuntimeError(f"the plot failed: {finished.err[-2000:]}")
