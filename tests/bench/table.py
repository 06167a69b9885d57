"""The figures as a table: Markdown that is aligned, so that it reads well in a terminal too."""

from collections.abc import Sequence

from tests.bench.figures import Figures, HalfLoad, Spread

_COLUMNS = (
    "contender", "requests/s", "x bare", "CPU ms/1000", "x bare", "cores", "peak MB",
    "p50 ms", "p99 ms", "p99 x bare", "at req/s", "its cores",
    "strangers",
)  # fmt: skip


def table(found: Sequence[Figures]) -> str:
    """Write a row for each contender; `strangers` are cores that others kept busy meanwhile."""
    rows = [_COLUMNS, *(_row(figures) for figures in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _row(figures: Figures) -> tuple[str, ...]:
    """Write the figures in the order of the columns; "its cores" belong to the latencies."""
    return (
        figures.name,
        _spread(figures.per_s, 0),
        _spread(figures.per_s_ratio, 2),
        _spread(figures.cpu_ms, 0),
        _spread(figures.cpu_ratio, 2),
        f"{figures.cores:.2f}",
        f"{figures.peak_mb:.0f}",
        *_half_load(figures.half_load),
        f"{figures.strangers:.2f}",
    )


def _half_load(half_load: HalfLoad | None) -> tuple[str, ...]:
    if half_load is None:
        return ("–",) * 5
    return (
        _spread(half_load.p50_ms, 1),
        _spread(half_load.p99_ms, 1),
        _spread(half_load.p99_ratio, 2),
        f"{half_load.per_s:,.0f}",
        f"{half_load.cores:.2f}",
    )


def _spread(spread: Spread | None, digits: int) -> str:
    if spread is None:
        return "–"
    middle, least, greatest = (
        f"{value:,.{digits}f}" for value in (spread.median, spread.least, spread.greatest)
    )
    return f"{middle} ({least}–{greatest})"
