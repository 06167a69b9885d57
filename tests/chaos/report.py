"""The figures of a run, as text and as JSON. Pure."""

from collections import defaultdict
from statistics import median
from typing import Any

from tests.chaos.run import Found, Past, Sizes
from tests.replicas.table import Table


def text(found: Found, sizes: Sizes) -> str:
    """Write the table of faults and the balance."""
    table = Table(
        f"chaos, seed {sizes.seed}", ("fault", "runs", "missed", "lasted", "ready again", "worst")
    )
    for kind, each in sorted(_by_kind(found).items()):
        runs = [past for past in each if past.struck.happened]
        back = [past.recovered_s for past in runs if past.recovered_s is not None]
        table.add(
            kind,
            len(runs),
            len(each) - len(runs),
            _s(median(past.lasted_s for past in each)),
            _s(median(back)) if back else "-",
            _s(max(back)) if back else "-",
        )
    for name, value in _counts(found).items():
        table.note(f"{name}: {value}")
    for what, ids in found.troubles.items():
        table.note(f"NOT BALANCED, {what}: {len(ids)}: {', '.join(ids[:20])}")
    if found.is_fine:
        table.note("the books balance")
    return str(table)


def figures(found: Found, sizes: Sizes) -> dict[str, Any]:
    """Give everything a document may want to quote."""
    kinds = {}
    for kind, each in sorted(_by_kind(found).items()):
        back = [past.recovered_s for past in each if past.recovered_s is not None]
        kinds[kind] = {
            "runs": sum(past.struck.happened for past in each),
            "missed": sum(not past.struck.happened for past in each),
            "recovered_s": [round(seconds, 2) for seconds in back],
        }
    return {
        "seed": sizes.seed,
        **_counts(found),
        "dead_by_reason": dict(found.books.dead),
        "troubles": found.troubles,
        "kinds": kinds,
    }


def _counts(found: Found) -> dict[str, Any]:
    books = found.books
    looks = sum(call.bucket == "conversations" for call in found.evidence.calls)
    return {
        "requests": books.requests,
        "sent": books.sent,
        "dead": sum(books.dead.values()),
        "reasons": ", ".join(f"{reason} {n}" for reason, n in sorted(books.dead.items())),
        "unconfirmed": books.dead["unconfirmed"],
        "unconfirmed that the API had taken": books.taken_in_doubt,
        "dead letters with a twin": books.twins,
        "outcome events": books.events,
        "published again by the producer": found.repeated,
        "faults": sum(past.struck.happened for past in found.past),
        "kinds": len({past.planned.kind for past in found.past if past.struck.happened}),
        "stops that left work to others": found.unsettled,
        "calls to send": len(found.evidence.calls) - looks,
        "looks at conversations": looks,
        "minutes": round(found.took_s / 60, 1),
    }


def _by_kind(found: Found) -> dict[str, list[Past]]:
    kinds: dict[str, list[Past]] = defaultdict(list)
    for past in found.past:
        kinds[past.planned.kind].append(past)
    return kinds


def _s(seconds: float) -> str:
    return f"{seconds:.1f} s"
