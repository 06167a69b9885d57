"""Scenario: one account's token is replaced under load, then revoked, and at last mended."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.dead_letters.tool import dead
from tests.replicas.evidence import Evidence
from tests.replicas.loader import Letter, Loader, a_loader
from tests.replicas.processor_time import cores, usage_of
from tests.replicas.site import Gate, Ground, Plan, Site, a_site
from tests.replicas.table import Table
from tests.replicas.windows import Allowed
from tests.replicas.witness import Witness, a_witness
from tests.replicas.work import account_ids, body, token_of
from tests.support.pacing import beats
from tests.support.waiting import eventually
from worker.core.send_result import TOKEN_CODE


@dataclass(frozen=True, slots=True)
class Tokens:
    """Sizes of the scenario: `rotations` of the first account's token, one every `every_s`."""

    workers: int = 4
    accounts: int = 5
    per_s: float = 100.0
    rotations: int = 8
    every_s: float = 2.0
    revoked_s: float = 5.0
    patience_s: float = 60.0
    gate: Gate = "redis"
    allowed: Mapping[str, Allowed] = field(default_factory=lambda: {"text": Allowed(100, 1.0)})


@dataclass(frozen=True, slots=True)
class Found:
    """The figures of one run.

    `failed_while_rotating` are requests of any account; `refused_calls` were made to the account
    after its token was revoked, `dead` is how its requests ended then, `replayed` how after the
    replay; `others_failed` are requests of the other accounts.
    """

    rotated_calls: int
    failed_while_rotating: int
    refused_calls: int
    dead: Counter[str]
    replayed: Counter[str]
    others_failed: int
    twice: list[str]
    evidence: Evidence
    cores: Mapping[str, float]

    def table(self) -> Table:
        table = Table(
            "tokens",
            ("calls with an old token", "failed while rotating", "calls after the revocation",
             "requests then", "replayed", "others failed", "twice"),
        )  # fmt: skip
        table.add(
            self.rotated_calls, self.failed_while_rotating, self.refused_calls,
            dict(self.dead), dict(self.replayed), self.others_failed, len(self.twice),
        )  # fmt: skip
        table.note_machine(self.evidence, self.cores)
        return table


async def run(ground: Ground, sizes: Tokens) -> Found:
    """Rotate, revoke, mend and replay, while all accounts get requests at a steady pace."""
    accounts = account_ids(sizes.accounts)
    with TemporaryDirectory(prefix="igsend-tokens-") as folder:
        tokens = Path(folder)
        for account_id in accounts:
            _store(tokens, account_id, token_of(account_id))
        plan = Plan(
            "tokens",
            workers=sizes.workers,
            accounts=accounts,
            gate=sizes.gate,
            settings={"accounts": folder},
        )
        async with (
            a_site(ground, plan) as site,
            a_witness(ground.amqp_url, site.names) as witness,
            a_loader(ground.amqp_url) as loader,
            site.fleet() as fleet,
        ):
            before = usage_of(site.groups(fleet))
            play = _Play(site, witness, loader, sizes, tokens)
            await play.rotate()
            revoked_at = await play.revoke()
            refused = await _refused_calls(site, play.target)
            await play.mend()
            busy = cores(before, usage_of(site.groups(fleet)))
    return _judge(play, site.evidence, refused, revoked_at, busy)


def _store(folder: Path, account_id: str, token: str) -> None:
    """Write a token file at one stroke, as tools that know what they do."""
    new = folder / f".{account_id}"
    new.touch(mode=0o600)
    new.write_text(token)
    new.rename(folder / account_id)


class _Play:
    """The acts, and what was published in each: name to account."""

    def __init__(
        self, site: Site, witness: Witness, loader: Loader, sizes: Tokens, tokens: Path
    ) -> None:
        self._site = site
        self._witness = witness
        self._loader = loader
        self._sizes = sizes
        self._tokens = tokens
        self._beat = 0
        self.target = site.plan.accounts[0]
        self.rotated: dict[str, str] = {}
        self.revoked: dict[str, str] = {}
        self.said: dict[str, tuple[str, ...]] = {}
        self.replayed: dict[str, str] = {}

    async def rotate(self) -> None:
        """First the new token is stored, then the API takes no other any more."""
        for number in range(self._sizes.rotations):
            self.rotated |= await self._load(self._sizes.every_s)
            token = f"{token_of(self.target)}r{number}"
            _store(self._tokens, self.target, token)
            await self._let_in(token)
        self.rotated |= await self._load(self._sizes.every_s)
        await self._heard(self.rotated)

    async def revoke(self) -> float:
        """The API takes the token no more, and nobody stores another."""
        await self._let_in("IGAAsomebody-logs-in-later")
        revoked_at = time.time()
        self.revoked = await self._load(self._sizes.revoked_s)
        await self._heard(self.revoked)
        self.said = {name: tuple(said) for name, said in self._witness.outcomes.items()}
        return revoked_at

    async def mend(self) -> None:
        """A good token is stored, and what died for the bad one is put back."""
        _store(self._tokens, self.target, "IGAAsomebody-logs-in-later")
        died = {n: a for n, a in self.revoked.items() if self.said[n] != ("sent",)}
        ended = await dead(
            "replay", "account", "--account", self.target, "--operator", "ada", "--yes", "--json",
            settings=self._site.settings(),
        )  # fmt: skip
        assert ended.code == 0, ended.err
        outcomes = self._witness.outcomes
        await eventually(
            lambda: all(len(outcomes[name]) > 1 for name in died), within_s=self._sizes.patience_s
        )
        self.replayed = {n: self._witness.outcomes[n][-1] for n in died}

    async def _let_in(self, token: str) -> None:
        await self._site.admin("PUT", f"accounts/{self.target}", {"token": token})

    async def _load(self, seconds: float) -> dict[str, str]:
        published, start = {}, time.time()
        accounts = self._site.plan.accounts
        async for _ in beats(self._sizes.per_s, start=start, end=start + seconds):
            self._beat += 1
            account_id, name = accounts[self._beat % len(accounts)], f"token-{self._beat}"
            text = body("text", account_id, name, to=self._beat)
            self._loader.post(Letter(self._site.names.requests, account_id, text))
            published[name] = account_id
        await self._loader.confirmed()
        return published

    async def _heard(self, published: Mapping[str, str]) -> None:
        unheard = await self._witness.wait_for(published, within_s=self._sizes.patience_s)
        assert not unheard, f"nothing was heard of {len(unheard)} requests"


async def _refused_calls(site: Site, account_id: str) -> list[float]:
    """Say when the account was called with a token that is not its own.

    By the path: the evidence goes by tokens, and these belong to nobody.
    """
    calls = await site.admin("GET", "calls")
    return [
        call["received_at"]
        for call in calls
        if call["code"] == TOKEN_CODE and account_id in call["path"]
    ]


def _judge(
    play: _Play,
    evidence: Evidence,
    refused: list[float],
    revoked_at: float,
    busy: Mapping[str, float],
) -> Found:
    of_target = {name for name, account_id in play.revoked.items() if account_id == play.target}
    return Found(
        rotated_calls=sum(at < revoked_at for at in refused),
        failed_while_rotating=sum(play.said[name] != ("sent",) for name in play.rotated),
        refused_calls=sum(at >= revoked_at for at in refused),
        dead=Counter(play.said[name][0] for name in of_target),
        replayed=Counter(play.replayed.values()),
        others_failed=sum(
            play.said[name] != ("sent",) for name in play.revoked if name not in of_target
        ),
        twice=evidence.sent_more_than_once(),
        evidence=evidence,
        cores=busy,
    )
