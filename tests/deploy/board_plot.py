"""Draws the panels that board.py recorded; reads JSON from standard input. Needs matplotlib."""

import json
import sys
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

COLUMNS = 4
UNITS = {"reqps": "1/s", "s": "s", "short": ""}


def main() -> None:
    task: dict[str, Any] = json.load(sys.stdin)
    rows: dict[str, list[dict[str, Any]]] = {}
    for panel in task["panels"]:
        rows.setdefault(panel["row"], []).append(panel)
    figure, axes = plt.subplots(len(rows), COLUMNS, figsize=(20, 3.1 * len(rows)))
    for line, (row, panels) in zip(axes, rows.items(), strict=True):
        for place in line:
            place.axis("off")
        for place, panel in zip(line, panels, strict=False):
            place.axis("on")
            unit = UNITS[panel["unit"]]
            place.set_title(panel["title"] + (f" ({unit})" if unit else ""), fontsize=10)
            for series in panel["series"]:
                points = [point for point in series["points"] if point[1] == point[1]]
                if points:
                    place.plot(*zip(*points, strict=True), label=series["name"])
            if place.lines:
                place.legend(fontsize=7, loc="upper left")
            place.set_ylim(bottom=0)
            place.grid(alpha=0.3)
        line[0].annotate(
            row, (0, 1), (-45, 16), xycoords="axes fraction", textcoords="offset points",
            fontsize=12, fontweight="bold",
        )  # fmt: skip
    figure.tight_layout()
    figure.savefig(task["picture"], dpi=60)


main()
