"""What the scripts are told about a request: keys, limits, and the facts of the decision."""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from worker.core.account import Account
from worker.core.ask import Ask
from worker.core.closure import PROBE_S, PROBED_S
from worker.core.delivery import Lane
from worker.core.disclosure import is_open, lapse_of, opening_of
from worker.core.kind import Bucket
from worker.core.outcome import (
    Completed,
    Dead,
    Duplicate,
    HandedBack,
    Outcome,
    Postponed,
    Retrying,
    Wait,
)
from worker.core.progress import Progress
from worker.core.rate_limit import PUBLISHED_LIMITS, Limit, Pace
from worker.core.reason import Reason
from worker.core.request import OnUnknown, SendRequest
from worker.gate.patience import FRESH, Patience
from worker.gate.redis.codec import digest_of
from worker.gate.redis.platform import PlatformState
from worker.gate.redis.redis_time import RedisTime
from worker.gate.redis.store import Store
from worker.gate.rules import is_shared

_OPEN = PlatformState()


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot as the scripts write it: when (Redis's time), and what it takes to give it back."""

    at: float
    bucket: str
    before: str
    after: str

    def facts(self) -> dict[str, Any]:
        return {
            "slot": self.at,
            "bucket": self.bucket,
            "before": self.before,
            "after": self.after,
        }


class Arguments:
    """Builds keys and facts; remembers which Redis gave the last slot."""

    def __init__(
        self, store: Store, time: RedisTime, *, prefix: str, margin: float, keep_s: float
    ) -> None:
        self._store = store
        self._time = time
        self._prefix = prefix
        self._margin = margin
        self._keep_s = keep_s
        self._paces: dict[tuple[Limit, Bucket, float], dict[str, Any]] = {}
        self._born: dict[str, str] = {}

    def keys(self, account_id: str) -> list[str]:
        """All keys of an account are made from the first, so they share a hash slot.

        The second says which Redis this is; in a cluster, whose nodes may be lost one by one,
        there is one for each account.
        """
        account = f"{self._prefix}:{{{account_id}}}:"
        return [account, f"{account}born" if self._store.is_cluster else f"{self._prefix}:born"]

    def channel(self, worker: str) -> str:
        """Where a worker hears that it is a request's turn."""
        return f"{self._wakes}{worker}"

    @property
    def closings(self) -> str:
        """Where all workers hear that an account was closed."""
        return f"{self._prefix}:closed"

    def note_birth(self, account_id: str, born: str) -> None:
        """Remember which Redis gave a slot: another one knows nothing of it."""
        self._born[self.keys(account_id)[1]] = born

    def of_ask(
        self,
        ask: Ask,
        nonce: str,
        *,
        platform: PlatformState | None = None,
        patience: Patience | None = None,
    ) -> dict[str, Any]:
        """Give everything that a decision about the next slot takes."""
        request, account, progress = ask.request, ask.account, ask.progress
        share = account.bulk_share if account is not None and is_shared(ask) else 1.0
        # What is not there is false or 0 to a script (common.lua), and most of it mostly is.
        facts = self.of_request(request, nonce, progress)
        facts |= of_patience(patience or FRESH)
        facts["born"] = self._born_of(request.account_id)
        facts["probe_s"], facts["probed_s"] = PROBE_S, PROBED_S
        facts["paces"] = [self._pace(account, part.bucket, share) for part in request.parts]
        if account is not None:
            facts["has_account"] = True
            facts["token"] = _token_digest(account)
        if ask.lane is Lane.BULK:
            facts["is_bulk"] = True
        if not progress.is_republished:
            facts["is_newcomer"] = True
        if request.on_unknown is OnUnknown.RESEND:
            facts["resends"] = True
        if request.not_before is not None:
            facts["not_before"] = self._time.there(request.not_before)
        if ask.deadline is not None:
            facts["deadline"] = self._time.there(ask.deadline)
        if platform is not None:
            facts |= of_platform(platform)
        facts |= of_author(request, account)
        if account is not None and is_open(request, progress, account):
            facts["opening"] = opening_of(request, account)
            facts["opening_pace"] = self._pace(account, Bucket.TEXT, share)
        facts |= self._of_past(progress)
        return facts

    def _of_past(self, progress: Progress) -> dict[str, Any]:
        """Give what is in doubt, and who put the request back."""
        facts: dict[str, Any] = {}
        if progress.unknown_since is not None:
            since = self._time.there(progress.unknown_since)
            facts["forced_since" if progress.is_forced else "in_doubt_since"] = since
        if progress.replay is not None:
            facts["batch"], facts["replays"] = progress.replay.batch, progress.replay.count
        if progress.returned_from is not None:
            facts["is_returned"] = True
            facts["is_forced"] = progress.is_forced
            facts["is_unconfirmed"] = (
                progress.returned_from == Reason.UNCONFIRMED and not progress.is_forced
            )
        return facts

    def of_request(self, request: SendRequest, nonce: str, progress: Progress) -> dict[str, Any]:
        """Give what writing about a request takes."""
        facts = {
            **self.of_place(request, nonce),
            "wakes": self._wakes,
            "generation_s": self._generation_s,
            "attempts": progress.attempts,
            "sent": len(progress.sent),
        }
        if progress.disclosure is not None:
            facts["disclosure"] = progress.disclosure
        if request.disclosure is not None:
            facts["is_preceded"] = True
        return facts

    def of_place(self, request: SendRequest, nonce: str) -> dict[str, Any]:
        """Give what keeping the place of a request takes."""
        return {
            "who": request.conversation[1],
            "worker": nonce.partition(":")[0],
            "nonce": nonce,
            "keep_s": self._keep_s,
        }

    def of_closing(self, ask: Ask) -> dict[str, Any]:
        """Give what closing an account because of this request takes."""
        told = {"account": ask.request.account_id, "closings": self.closings}
        return self.of_ask(ask, "") | told

    def of_read(self, account: Account) -> dict[str, Any]:
        """Give what a slot of the Conversations API takes."""
        return {
            "born": self._born_of(account.id),
            "deadline": 0,
            "paces": [self._pace(account, Bucket.CONVERSATIONS)],
        }

    def of_outcome(self, outcome: Outcome) -> dict[str, Any]:
        """Say how a pass ended."""
        match outcome:
            case Completed():
                message_id = outcome.progress.sent[-1] or ""
                return {"ending": "ended", "went_well": True, "message_id": message_id}
            case Postponed(why=Wait.VERIFY):
                return {
                    "ending": "doubtful",
                    "due": self._time.there(outcome.until),
                    "in_doubt_since": self._moment(outcome.progress.unknown_since),
                }
            case Postponed() | Retrying():
                return {"ending": "waiting", "due": self._time.there(outcome.until)}
            case HandedBack():
                return {"ending": "handed back"}
            case Dead():
                return {"ending": "ended"}
            case Duplicate():
                raise ValueError("a duplicate ends nothing")

    def mark_of(self, request: SendRequest) -> tuple[list[str], str, bytes]:
        """Say where it is noted that an outcome is not published yet: keys, the hash, its field."""
        keys = self.keys(request.account_id)
        return keys, f"{keys[0]}u", digest_of(request.id)

    @property
    def _generation_s(self) -> float:
        # How requests ended is kept by generations; three of them cover the time to keep.
        return self._keep_s / 2

    def _born_of(self, account_id: str) -> str:
        return self._born.get(self.keys(account_id)[1], "")

    def _moment(self, moment: float | None) -> float:
        return 0 if moment is None else self._time.there(moment)

    def _pace(self, account: Account | None, bucket: Bucket, share: float = 1.0) -> dict[str, Any]:
        limit = PUBLISHED_LIMITS[bucket]
        if account is not None:
            limit = account.limits.get(bucket, limit)
        facts = self._paces.get((limit, bucket, share))
        if facts is None:
            pace = Pace.within(limit, margin=self._margin)
            facts = {"bucket": bucket.value, "interval": pace.interval_s, "burst": pace.burst}
            if share < 1:
                pace = Pace.within(limit, margin=self._margin, share=share)
                facts["share"] = {"interval": pace.interval_s, "burst": pace.burst}
            self._paces[limit, bucket, share] = facts
        return facts

    @property
    def _wakes(self) -> str:
        return f"{self._prefix}:wake:"


def of_patience(patience: Patience) -> dict[str, Any]:
    """Say whether the script may answer that it takes a moment, and what was waited for."""
    facts: dict[str, Any] = {"may_wait": patience.may_wait}
    if patience.has_waited:
        facts["has_waited"] = True
    if isinstance(patience.reserved, Slot):
        facts["reserved"] = patience.reserved.facts()
    return facts


def of_platform(platform: PlatformState) -> dict[str, Any]:
    """Say whether the app is closed, and which refusals were an outage."""
    if platform == _OPEN:
        return {}
    return {
        "platform_until": platform.until,
        "platform_probed": platform.is_probed,
        "outage_kind": platform.outage_kind,
        "outage_since": platform.outage_since,
    }


def of_author(request: SendRequest, account: Account | None) -> dict[str, Any]:
    """Say what to remember of who wrote, for accounts that disclose their automation."""
    lapse_s = lapse_of(request, account)
    return {} if lapse_s is None else {"author": request.author.value, "lapse_s": lapse_s}


def _token_digest(account: Account) -> str:
    """Tell tokens apart without storing any."""
    return _digest(account.token.reveal)


@lru_cache(1024)
def _digest(token: str) -> str:
    return blake2b(token.encode(), digest_size=8).hexdigest()
