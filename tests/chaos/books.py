"""The balance of a run: what became of each request, by the sandbox and the dead letters. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.requests import Wanted
from tests.replicas.evidence import Evidence, Seen

# Of these dead letters alone it is not known whether the API took the part in doubt.
_IN_DOUBT = "unconfirmed"
_MUST_DIE = {"bad": "invalid", "unknown": "account"}


@dataclass(frozen=True, slots=True)
class Letters:
    """What was found at the end: reasons of dead letters by id, and messages left in queues."""

    dead: Mapping[str, Sequence[str]]
    left: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Books:
    """Ids by what is wrong with them; all empty when the books balance.

    `lost`: neither accepted in full nor dead-lettered. `twice`: a part the API took twice.
    `both`: accepted in full, and dead for a reason that says otherwise. `wrong`: sent or dead
    against what the request had to become. `unheard`: no outcome. `contrary`: outcomes that say
    another thing than what happened. `two_reasons` died of more than one thing; `strangers` are
    dead letters of no request. `twins` counts dead letters that were published twice for the same
    reason, as a crash between publishing and writing that down makes it: no trouble.
    """

    requests: int
    sent: int
    dead: Counter[str]
    taken_in_doubt: int
    events: int
    twins: int
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    both: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    unheard: list[str] = field(default_factory=list)
    contrary: list[str] = field(default_factory=list)
    two_reasons: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    left: Mapping[str, int] = field(default_factory=dict)

    @property
    def troubles(self) -> dict[str, list[str]]:
        """Give what is wrong, by what it is."""
        found = {
            "lost": self.lost,
            "accepted twice": self.twice,
            "sent and dead": self.both,
            "not what was wanted": self.wrong,
            "no outcome": self.unheard,
            "outcome contradicts": self.contrary,
            "dead for two reasons": self.two_reasons,
            "dead letter of nobody": self.strangers,
            "left in a queue": [f"{queue}: {count}" for queue, count in self.left.items()],
        }
        return {what: ids for what, ids in found.items() if ids}

    @property
    def are_balanced(self) -> bool:
        return not self.troubles


def balance(
    wanted: Sequence[Wanted],
    evidence: Evidence,
    letters: Letters,
    outcomes: Mapping[str, Sequence[str]],
) -> Books:
    """Hold for every id what was to happen against what did."""
    accepted = _accepted(wanted, evidence)
    books = Books(
        requests=len(wanted),
        sent=0,
        dead=Counter(reasons[0] for reasons in letters.dead.values()),
        taken_in_doubt=0,
        events=sum(map(len, outcomes.values())),
        twins=sum(len(reasons) - 1 for reasons in letters.dead.values()),
        strangers=sorted(letters.dead.keys() - {each.name for each in wanted}),
        left=letters.left,
    )
    sent = doubts = 0
    for each in wanted:
        parts = accepted.get(each.name, Counter())
        reasons = letters.dead.get(each.name, ())
        is_sent = bool(each.parts) and len(parts) == each.parts
        sent += is_sent and not reasons
        doubts += is_sent and _IN_DOUBT in reasons
        _enter(books, each, parts, reasons)
        _hear(books, each, is_sent=is_sent, reasons=reasons, said=outcomes.get(each.name, ()))
    return _with_counts(books, sent=sent, taken_in_doubt=doubts)


def _enter(books: Books, each: Wanted, parts: Counter[int], reasons: Sequence[str]) -> None:
    is_sent = bool(each.parts) and len(parts) == each.parts
    books.twice.extend(f"{each.name}/{part}" for part, count in parts.items() if count > 1)
    if not is_sent and not reasons:
        books.lost.append(each.name)
    if is_sent and reasons and _IN_DOUBT not in reasons:
        books.both.append(f"{each.name}: {reasons[0]}")
    must = _MUST_DIE.get(each.kind)
    if must is not None and (parts or list(reasons[:1]) != [must]):
        books.wrong.append(f"{each.name}: {list(reasons)}")
    if len(set(reasons)) > 1:
        books.two_reasons.append(f"{each.name}: {list(reasons)}")


def _hear(
    books: Books, each: Wanted, *, is_sent: bool, reasons: Sequence[str], said: Sequence[str]
) -> None:
    if not said:
        books.unheard.append(each.name)
        return
    right = "sent"
    if reasons:
        status = "held" if reasons[0] == _IN_DOUBT else "failed"
        right = f"{status}:{reasons[0]}"
    if set(said) != {right}:
        books.contrary.append(f"{each.name}: {sorted(set(said))} instead of {right}")


def _with_counts(books: Books, *, sent: int, taken_in_doubt: int) -> Books:
    values = {name: getattr(books, name) for name in books.__slots__}
    return Books(**{**values, "sent": sent, "taken_in_doubt": taken_in_doubt})


def _accepted(wanted: Sequence[Wanted], evidence: Evidence) -> dict[str, Counter[int]]:
    """Count how often each part of each request was taken."""
    reactions = {
        (each.account_id, each.recipient_id): each.name
        for each in wanted
        if each.kind == "reaction"
    }
    found: dict[str, Counter[int]] = {}
    for call in evidence.accepted:
        name, part = _of(call, reactions)
        found.setdefault(name, Counter())[part] += 1
    return found


def _of(call: Seen, reactions: Mapping[tuple[str, str], str]) -> tuple[str, int]:
    if call.request is not None and call.part is not None:
        return call.request, call.part
    return reactions[call.account_id, call.recipient_id], 0
