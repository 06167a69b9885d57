"""Draws the figures, read as JSON from standard input: `python -m tests.bench.plot FILE`."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

_PANELS = (
    ("per_s", "requests per second"),
    ("cpu_ms", "CPU, ms per 1000 requests"),
    ("p99_ms", "p99 at half load, ms"),
)


def draw(contenders: Sequence[Mapping[str, Any]], file: str) -> None:
    """Draw a panel of bars for each figure: medians, with lines from least to greatest."""
    contenders = [{**(contender["half_load"] or {}), **contender} for contender in contenders]
    panels = [panel for panel in _PANELS if all(panel[0] in c for c in contenders)]
    figure, axes = plt.subplots(
        1, len(panels), figsize=(4.2 * len(panels), 0.45 * len(contenders) + 1.2),
        sharey=True, squeeze=False, layout="constrained",
    )  # fmt: skip
    names = [contender["name"] for contender in contenders]
    colours = ["#2a6f97" if name.startswith("igsend") else "#b8b8b8" for name in names]
    for axis, (key, title) in zip(axes[0], panels, strict=True):
        spreads = [contender[key] for contender in contenders]
        medians = [spread["median"] for spread in spreads]
        below = [spread["median"] - spread["least"] for spread in spreads]
        above = [spread["greatest"] - spread["median"] for spread in spreads]
        bars = axis.barh(names, medians, xerr=[below, above], color=colours, ecolor="#555555")
        axis.bar_label(bars, fmt="{:,.0f}" if key != "p99_ms" else "{:.1f}", padding=3, fontsize=8)
        axis.set_title(title, fontsize=10)
        axis.margins(x=0.18)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0][0].invert_yaxis()
    figure.savefig(file, dpi=130)


if __name__ == "__main__":
    draw(json.load(sys.stdin)["contenders"], sys.argv[1])
