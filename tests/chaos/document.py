"""Makes the tables of docs/reliability.md from figures of runs: `python -m` this module FILE ..."""

import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

# Rows of the table of runs, and the key of their figure.
_ROWS = {
    "requests": "requests",
    "faults": "faults",
    "kinds of fault": "kinds",
    "sent": "sent",
    "dead letters": "dead",
    "of these unconfirmed": "unconfirmed",
    "of these taken by the API all the same": "unconfirmed that the API had taken",
    "dead letters with a twin": "dead letters with a twin",
    "calls of the API to send": "calls to send",
    "looks at conversations": "looks at conversations",
    "outcome events": "outcome events",
    "published again by the producer": "published again by the producer",
    "minutes": "minutes",
}


def main(paths: Sequence[str]) -> None:
    """Print both tables in Markdown."""
    runs = [json.loads(Path(path).read_text()) for path in paths]
    sys.stdout.write(f"{runs_table(runs)}\n\n{faults_table(runs)}\n")


def runs_table(runs: Sequence[Mapping[str, Any]]) -> str:
    """One column for each run."""
    head = [f"seed {run['seed']}" for run in runs]
    rows = [[name, *(run.get(key, "") for run in runs)] for name, key in _ROWS.items()]
    rows += [
        [trouble, *(len(run["troubles"].get(trouble, ())) for run in runs)]
        for trouble in ("lost", "accepted twice")
    ]
    others = [sum(map(len, run["troubles"].values())) for run in runs]
    rows.append(["any trouble with the books", *others])
    return _table(["", *head], rows)


def faults_table(runs: Sequence[Mapping[str, Any]]) -> str:
    """One row for each kind, over all runs together."""
    counts: dict[str, int] = defaultdict(int)
    recovered: dict[str, list[float]] = defaultdict(list)
    for run in runs:
        for kind, figures in run["kinds"].items():
            counts[kind] += figures["runs"]
            recovered[kind] += figures["recovered_s"]
    rows = [[kind, count, *_recovery(recovered[kind])] for kind, count in sorted(counts.items())]
    head = ["fault", "runs", "alone", "ready again, median", "worst"]
    return _table(head, rows)


def _recovery(seconds: Sequence[float]) -> list[object]:
    if not seconds:
        return [0, "–", "–"]
    return [len(seconds), f"{median(seconds):.1f} s", f"{max(seconds):.1f} s"]


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


if __name__ == "__main__":
    main(sys.argv[1:])
