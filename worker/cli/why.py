"""`igsend why`: where a request is, and what it waits for."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import orjson
import typer

from worker.cli.accounts import in_words, seconds_between
from worker.cli.failure import CommandFailed, UsageFailed, config_from_environment
from worker.cli.inspection import inspection_of
from worker.config import Config

REQUEST_ID = re.compile(r"[A-Za-z0-9._:~-]{1,128}")
ACCOUNT_ID = re.compile(r"[0-9]{1,32}")
# A parked request comes back through an intake queue; so much later it is late.
LATE_S = 5.0

_UNKNOWN = """\
{id} is not known to the gate. It may
  - lie in an intake queue, and no worker has looked at it yet;
  - wait at the broker for its not_before, which is not noted;
  - have ended as invalid, which is not noted, or longer ago than the ledger keeps ({keep});
  - belong to another account than {accounts}{also}.
Its outcome event, and the dead-letter queues, tell how it ended if it has."""
_ALSO_IN_MEMORY = """;
  - have come before the worker was started again, or be one of so many that memory:// dropped it
    (IGSEND_REMEMBER_MAX, or parked to more than 50,000 people)"""


def why(
    id: Annotated[str, typer.Argument(help="The id of the request.")],
    account: Annotated[
        str | None, typer.Option(help="Its account; without it, all of IGSEND_ACCOUNTS.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="A JSON list, one entry per account.")
    ] = False,
) -> None:
    """Say where a request is and what it waits for; exit 1 when the gate does not know it."""
    if REQUEST_ID.fullmatch(id) is None:
        raise UsageFailed("the id of a request is 1 to 128 of A-Za-z0-9._:~-")
    if account is not None and ACCOUNT_ID.fullmatch(account) is None:
        raise UsageFailed(f"--account: {account!r} is not an account's numeric id")
    config = config_from_environment()
    found = asyncio.run(_requests(config, id, account))
    if json:
        typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    else:
        for request in found:
            for line in _sentences(request):
                typer.echo(line)
    if not found:
        accounts = "those of IGSEND_ACCOUNTS" if account is None else account
        keep = f"{config.remember_s / 3600:g} h"
        also = _ALSO_IN_MEMORY if config.gate_url.get_secret_value() == "memory://" else ""
        raise CommandFailed(_UNKNOWN.format(id=id, keep=keep, accounts=accounts, also=also))


async def _requests(
    config: Config, request_id: str, account_id: str | None
) -> Sequence[Mapping[str, Any]]:
    async with inspection_of(config, needs_accounts=account_id is None) as inspection:
        return await inspection.requests(request_id, account_id)


def _sentences(request: Mapping[str, Any]) -> list[str]:
    """Say what a person wants to know, the most important first."""
    lines = [f"{request['id']} of account {request['account_id']}: {_where(request)}"]
    if request["parts_sent"]:
        lines.append(f"  {_count(request['parts_sent'], 'part')} went already")
    place = request["place"]
    if place is not None:
        lines.append(f"  {_place(place, request['now'])}")
        if not place["in_hand"] and _is_late(request):
            lines.append(
                "  it is late: it lies in its intake queue behind others, or somebody took it out "
                "of a delay queue"
            )
    return lines


def _where(request: Mapping[str, Any]) -> str:
    now, attempts = request["now"], _count(request["attempts"], "attempt")
    match request["where"]:
        case "running":
            number = request["attempts"] + 1
            return f"running, attempt {number}, since {_at(request['since'], now)}{_lease(request)}"
        case "in_hand":
            return f"in hand{_of_worker(request['place'])}, waits for its turn or its slot"
        case "parked":
            return f"parked at the broker, never tried; looked at again {_next(request)}"
        case "waiting":
            return f"waits for another try after {attempts}; looked at again {_next(request)}"
        case "doubtful":
            since, checks = _at(request["since"], now), _count(request["checks"], "time")
            text = f"doubtful: the call that began {since} left no result, it may have been sent"
            return f"{text}; looked up {checks}, again {_next(request)}"
        case "concluded":
            return f"{_outcome(request)}; the outcome is not published yet{_lease(request)}"
        case _:
            return _outcome(request)


def _lease(request: Mapping[str, Any]) -> str:
    if request["lease_until"] is None:
        return ""
    until = _at(request["lease_until"], request["now"])
    if request["lease_until"] < request["now"]:
        # Both are RFC 3339 in UTC with the same number of digits.
        return f"; its worker {request['worker']} has gone, its lease ran out {until}"
    return f", by worker {request['worker']} (lease until {until})"


def _outcome(request: Mapping[str, Any]) -> str:
    outcome, now = request["outcome"], request["now"]
    at = _at(outcome["finished_at"], now)
    tries = _count(outcome["attempts"], "attempt")
    if outcome["status"] == "sent":
        ids = ", ".join(each or "(none)" for each in outcome["message_ids"])
        return f"sent {at} after {tries}; message ids: {ids}"
    codes = [str(outcome[name]) for name in ("code", "subcode") if outcome[name] is not None]
    code = f" (code {'/'.join(codes)})" if codes else ""
    return f"{outcome['status']}, {outcome['reason']}{code}, {at}: {outcome['detail']}"


def _place(place: Mapping[str, Any], now: str) -> str:
    if not place["ahead"]:
        behind = place["length"] - 1
        return f"first in its conversation; {_count(behind, 'other')} behind it"
    head = place["head"]
    name = "a request" if head["id"] is None else head["id"]
    if head["in_hand"]:
        doing = f"is in hand{_of_worker(head)}"
    else:
        doing = "is parked" if head["until"] is None else f"is due back {_at(head['until'], now)}"
    number = place["ahead"] + 1
    return f"place {number} of {place['length']} in its conversation; the first, {name}, {doing}"


def _of_worker(holder: Mapping[str, Any] | None) -> str:
    return "" if holder is None or holder["worker"] is None else f" of worker {holder['worker']}"


def _next(request: Mapping[str, Any]) -> str:
    place = request["place"]
    if place is None or place["until"] is None:
        return "when it comes back"
    if place["in_hand"]:
        return f"now, in hand{_of_worker(place)}"
    return f"at {_at(place['until'], request['now'])}"


def _is_late(request: Mapping[str, Any]) -> bool:
    until = request["place"]["until"]
    return until is not None and seconds_between(until, request["now"]) > LATE_S


def _at(moment: str | None, now: str) -> str:
    return "at an unknown time" if moment is None else f"{moment} ({in_words(moment, now)})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
