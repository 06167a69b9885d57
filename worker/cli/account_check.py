"""`igsend accounts check`: does each token work, whose is it, and may it send messages?"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Annotated, Any

import orjson
import typer

from worker.cli.account_source import check_ids, read_accounts
from worker.cli.failure import CommandFailed, UsageFailed, config_from_environment
from worker.cli.inspection import inspection_of
from worker.cli.phrases import with_codes
from worker.config import Config
from worker.core.account import Account
from worker.core.progress import rfc3339
from worker.core.send_result import TOKEN_CODE, GraphError
from worker.core.token_life import DAY_S, WARN_WITHIN_S
from worker.graph.client import GraphClient
from worker.graph.tokens import Holder, holder_of, may_message
from worker.telemetry.health import Inspection

# Two calls for each account. The worker's own calls for it, and the app's limits, come first.
AT_ONCE = 5
ACCOUNTS_PER_S = 10.0

_BASIC, _MESSAGES = "instagram_business_basic", "instagram_business_manage_messages"


@dataclass(slots=True)
class Finding:
    """What was found about one account. `gate` and permissions are None when not known.

    `last_error` is what closed the account, while it is closed: the workers' word, not this call's.
    """

    account_id: str
    verdict: str = "ok"
    username: str | None = None
    user_id: str | None = None
    expires_at: str | None = None
    permissions: dict[str, bool | None] = field(
        default_factory=lambda: {_BASIC: None, _MESSAGES: None}
    )
    gate: str | None = None
    last_error: dict[str, Any] | None = None
    problem: str | None = None
    code: int | None = None
    subcode: int | None = None

    def note(self, verdict: str, problem: str, error: GraphError | None = None) -> None:
        """Take in a problem; the first of the worst sort is told."""
        if self.verdict == "ok" or (verdict, self.verdict) == ("fail", "warn"):
            self.verdict, self.problem = verdict, problem
            self.code = None if error is None else error.code
            self.subcode = None if error is None else error.subcode


def check(
    accounts: Annotated[list[str] | None, typer.Argument(help="Ids; all if none is given.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Ask the API about each token: whose it is and what it may do; exit 1 when one fails."""
    names = accounts or []
    check_ids(names)
    failed, count = asyncio.run(_check(config_from_environment(), names, json=json))
    if failed:
        raise CommandFailed(f"{failed} of {count} accounts failed")


async def _check(config: Config, names: Sequence[str], *, json: bool) -> tuple[int, int]:
    read = await read_accounts(config, names)
    failed = count = 0
    if read.problem is not None and not names:
        typer.echo(f"igsend: not usable: {read.problem}", err=True)
        failed = count = 1
    async for finding in _findings(config, read.chosen(names)):
        count += 1
        failed += finding.verdict == "fail"
        typer.echo(orjson.dumps(asdict(finding)) if json else _line(finding))
    return failed, count


async def _findings(config: Config, accounts: Sequence[Account]) -> AsyncIterator[Finding]:
    async with AsyncExitStack() as stack:
        graph = await stack.enter_async_context(GraphClient(config))
        gate = await _gate(stack, config, accounts)
        rest = iter(accounts)
        while batch := list(islice(rest, AT_ONCE)):
            began = time.monotonic()
            for finding in await asyncio.gather(*(_finding(graph, gate, each) for each in batch)):
                yield finding
            spare_s = len(batch) / ACCOUNTS_PER_S - (time.monotonic() - began)
            await asyncio.sleep(max(0.0, spare_s))


async def _gate(
    stack: AsyncExitStack, config: Config, accounts: Sequence[Account]
) -> Inspection | None:
    """Give what knows which accounts are closed; without it the tokens can be checked all the same.

    Anybody may check, also where no worker runs.
    """
    known = {account.id: account for account in accounts}
    try:
        gate = await stack.enter_async_context(inspection_of(config, known=known))
        if accounts:
            await gate.account(accounts[0].id)
    except (CommandFailed, UsageFailed) as error:
        typer.echo(f"igsend: open or closed is not known: {error}", err=True)
        return None
    return gate


async def _finding(graph: GraphClient, gate: Inspection | None, account: Account) -> Finding:
    finding = Finding(account.id)
    if gate is not None:
        _tell_closure(finding, await gate.account(account.id))
    holder = await holder_of(graph, account)
    if isinstance(holder, GraphError):
        finding.note("fail", _refusal(holder), holder)
    else:
        finding.user_id, finding.username = holder.user_id, holder.username
        finding.permissions[_BASIC] = True
        _judge_holder(finding, holder)
        if finding.verdict == "ok":
            await _judge_permission(finding, graph, account)
    _judge_end(finding, account.expires_at, now=time.time())
    return finding


def _tell_closure(finding: Finding, state: Mapping[str, Any] | None) -> None:
    if state is None:
        return
    finding.gate = str(state["state"])
    closure = state["closure"] or state["app"]
    if closure is not None:
        finding.last_error = {
            "at": closure["since"],
            **{name: closure[name] for name in ("why", "code", "subcode")},
        }


def _refusal(error: GraphError) -> str:
    if error.code == TOKEN_CODE:
        return f"the token does not work: {error.meaning}; store a new token"
    # No answer, a throttle, an outage: no reason to have a person log in again.
    return f"the API does not say whose token it is: {error.meaning}"


def _judge_holder(finding: Finding, holder: Holder) -> None:
    wanted = finding.account_id
    if holder.user_id == wanted:
        return
    if holder.user_id is None:
        finding.note("fail", "the API does not say whose token it is (no user_id)")
    elif holder.app_scoped_id == wanted:
        finding.note(
            "fail",
            f"{wanted} is the app-scoped id of the account; requests and IGSEND_ACCOUNTS need its "
            f"user_id {holder.user_id}",
        )
    else:
        finding.note("fail", f"the token belongs to another account, {holder.user_id}")


async def _judge_permission(finding: Finding, graph: GraphClient, account: Account) -> None:
    allowed = await may_message(graph, account)
    if isinstance(allowed, GraphError):
        finding.note("warn", f"the API did not say what the token may do: {allowed.meaning}")
        return
    finding.permissions[_MESSAGES] = allowed
    if not allowed:
        finding.note("fail", f"the permission {_MESSAGES} is missing: a person must grant it")


def _judge_end(finding: Finding, expires_at: float | None, *, now: float) -> None:
    if expires_at is None:
        return
    finding.expires_at = rfc3339(expires_at)
    if expires_at <= now:
        finding.note("warn", f"by its expires_at the token has ended ({finding.expires_at})")
    elif expires_at - now <= WARN_WITHIN_S:
        days = (expires_at - now) / DAY_S
        finding.note("warn", f"the token ends in {days:.1f} days: igsend accounts refresh")


def _line(finding: Finding) -> str:
    name = "" if finding.username is None else f" @{finding.username}"
    facts = [finding.problem or "the token works, and may read and send messages"]
    facts.append(f"ends {finding.expires_at}" if finding.expires_at else "end not known")
    if (last := finding.last_error) is not None:
        since = "" if last["at"] is None else f" since {last['at']}"
        why = with_codes(last["why"], last["code"], last["subcode"])
        facts.append(f"{finding.gate}{since}: {why}")
    elif finding.gate is not None:
        facts.append(finding.gate)
    facts[0] = with_codes(facts[0], finding.code, finding.subcode)
    return f"{finding.verdict:4}  {finding.account_id}{name}: {'; '.join(facts)}"
