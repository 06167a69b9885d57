"""Any order of events that workers, the broker, the API and Redis can bring about, on both gates.

The real pipeline runs on a watched gate (machine_watch.py says what must never be seen) while time
jumps from event to event. At the end the world behaves, and every request has to come to its end.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.gate.machine_openings import LAPSE
from tests.gate.machine_redis import Fault, SharedRedis, StoreAtOnce
from tests.gate.machine_site import DEADLY, Call, Fate, SimulatedWorker, Site
from tests.gate.machine_time import LoopClock, VirtualLoop, lapse
from tests.gate.machine_watch import MARGIN
from tests.support.pipeline import a_delivery
from worker.core.account import Account
from worker.core.delivery import Delivery, Lane
from worker.core.kind import Bucket
from worker.core.progress import rfc3339
from worker.core.rate_limit import Limit
from worker.core.secret import Secret
from worker.gate.memory.gate import MemoryGate
from worker.gate.redis.gate import RedisGate

KEEP_S = 86_400.0
MOST = 10_000
# One with the published limits, one that is slower, one so slow that it parks at once.
LIMITS: dict[str, dict[Bucket, Limit]] = {
    "1": {},
    "2": {Bucket.TEXT: Limit(10, 1.0), Bucket.MEDIA: Limit(2, 1.0)},
    "3": {Bucket.TEXT: Limit(1, 1.0), Bucket.MEDIA: Limit(6, 60.0)},
}
DISCLOSING = {"2", "3"}
# When the world behaves again, all comes to its end within this.
AT_REST_S = 3600.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """Between when and when a request may go, in seconds from now, and what to do in doubt."""

    lasts_s: float | None
    later_s: float | None
    on_unknown: str

    def fields(self, now: float) -> dict[str, Any]:
        return {
            "expires_at": None if self.lasts_s is None else rfc3339(now + self.lasts_s),
            "not_before": None if self.later_s is None else rfc3339(now + self.later_s),
            "on_unknown": self.on_unknown,
        }


accounts = st.sampled_from(sorted(LIMITS))
people = st.sampled_from("abc")
kinds = st.lists(st.sampled_from(["text", "text", "text", "image"]), min_size=1, max_size=3)
lanes = st.sampled_from(Lane)
authors = st.sampled_from(["automation", "automation", "human"])
wishes = st.builds(
    Wishes,
    lasts_s=st.sampled_from([None, None, None, 0.4, 5.0, 60.0]),
    later_s=st.sampled_from([None, None, None, None, 3.0, 100.0]),
    on_unknown=st.sampled_from(["verify", "verify", "hold", "resend"]),
)
calls = st.builds(
    Call,
    st.sampled_from([fate for fate in Fate if fate not in DEADLY]),
    late_s=st.sampled_from([0.0, 0.0, 0.005, 0.011, 0.04, 0.5]),
    took_s=st.sampled_from([0.05, 0.05, 0.3, 5.0, 75.0]),
    asked_s=st.sampled_from([None, None, 0.0, 3.0, 60.0]),
)
lateness = st.sampled_from([0.0, 0.1, 1.0, 3.0, 40.0, 130.0, None])
steps = st.sampled_from([0.001, 0.05, 0.2, 1.0, 2.0, 5.0, 9.0, 31.0, 130.0])


class GateMachine(RuleBasedStateMachine):
    """What may happen around any gate."""

    site: Site

    def __init__(self) -> None:
        super().__init__()
        self.loop = VirtualLoop()
        asyncio.set_event_loop(self.loop)
        self.clock = LoopClock(self.loop)
        self.count = 0

    def populate(self, start: Callable[[Site, str], SimulatedWorker], *, workers: int) -> None:
        self.site = Site(self.loop, self.clock, start, workers=workers)
        for account_id, limits in LIMITS.items():
            disclosure = LAPSE if account_id in DISCLOSING else None
            account = Account(account_id, Secret("IGAA0"), limits=limits, disclosure=disclosure)
            self.site.accounts.known[account_id] = account

    def run_for(self, seconds: float) -> None:
        self.loop.run_until_complete(lapse(seconds))

    def publish(self, account_id: str, *, lane: Lane, kinds: list[str], **fields: Any) -> None:
        self.count += 1
        request_id = f"r{self.count}"
        messages = [
            {"text": label}
            if kind == "text"
            else {"attachment": {"type": kind, "payload": {"url": f"https://x.test/{label}"}}}
            for number, kind in enumerate(kinds)
            for label in [f"{request_id}/{number}"]
        ]
        delivery = a_delivery(
            id=request_id, account_id=account_id, message=None, messages=messages, **fields
        )
        self.site.publish(delivery._replace(lane=lane), (account_id, request_id))
        self.run_for(0.002)

    @rule(
        account_id=accounts, person=people, kinds=kinds, lane=lanes, wishes=wishes, author=authors
    )
    def request_arrives(
        self,
        account_id: str,
        person: str,
        kinds: list[str],
        lane: Lane,
        wishes: Wishes,
        author: str,
    ) -> None:
        fields = wishes.fields(self.clock.now()) | {"author": author}
        self.publish(account_id, lane=lane, kinds=kinds, recipient={"id": person}, **fields)

    @rule(account_id=accounts, lane=lanes, number=st.integers(2, 40))
    def flood_arrives(self, account_id: str, lane: Lane, number: int) -> None:
        for person in range(number):
            self.publish(account_id, lane=lane, kinds=["text"], recipient={"id": f"f{person}"})

    @precondition(lambda self: self.site.published)
    @rule(number=st.integers(0, 1000))
    def it_is_published_twice(self, number: int) -> None:
        self.site.deliver(self._one_of_published(number))

    @precondition(lambda self: self.site.published)
    @rule(number=st.integers(0, 1000))
    def its_id_comes_with_another_body(self, number: int) -> None:
        one = self._one_of_published(number)
        other = one.body[:-1] + b',"metadata":{"another":"body"}}'
        self.site.deliver(one._replace(body=other))

    @precondition(lambda self: self.site.letters())
    @rule(number=st.integers(0, 1000))
    def dead_letter_is_put_back(self, number: int) -> None:
        # Nobody is as quick as to take part in the pass that buried it.
        self.run_for(1.0)
        letters = self.site.letters()
        letter = delivery, dead = letters[number % len(letters)]
        self.site.dead.remove(letter)
        progress = dead.progress._replace(
            attempts=0,
            first_seen=None,
            checks=0,
            is_republished=True,
            returned_from=dead.reason.value,
        )
        self.site.put_back(delivery._replace(progress=progress))

    @rule(account_id=accounts, plans=st.lists(calls, min_size=1, max_size=4))
    def api_has_plans(self, account_id: str, plans: list[Call]) -> None:
        self.site.api.plans[account_id].extend(plans)

    @rule(returns=st.lists(lateness, min_size=1, max_size=4))
    def parked_ones_return(self, returns: list[float | None]) -> None:
        self.site.returns.extend(returns)

    @rule(account_id=accounts)
    def token_changes(self, account_id: str) -> None:
        known = self.site.accounts.known
        token = Secret(known[account_id].token.reveal + "1")
        self.site.watch.calls.token_changed(account_id, now=self.clock.now())
        known[account_id] = replace(known[account_id], token=token)

    @rule(seconds=steps)
    def time_passes(self, seconds: float) -> None:
        self.run_for(seconds)

    @invariant()
    def nothing_is_wrong(self) -> None:
        assert not self.site.watch.faults, "; ".join(self.site.watch.faults[:3])

    def teardown(self) -> None:
        try:
            self.site.api.plans.clear()
            self.site.returns.clear()
            self.site.deaths_at_publish = 0
            end = self.clock.now() + AT_REST_S
            while self.site.waiting and self.clock.now() < end:
                self.run_for(1.0)
                self.nothing_is_wrong()
            assert not self.site.waiting, f"{sorted(self.site.waiting)} never came to an end"
            self.at_rest()
        finally:
            self.close()

    def at_rest(self) -> None:
        """What must hold once everything has ended."""

    def close(self) -> None:
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        asyncio.set_event_loop(None)
        self.loop.close()

    def _one_of_published(self, number: int) -> Delivery:
        return self.site.published[number % len(self.site.published)]


class MemoryMachine(GateMachine):
    """One worker, whose gate lasts as long as it does: none dies."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = MemoryGate(self.clock, margin=MARGIN, keep_s=KEEP_S, most=MOST)
        self.populate(
            lambda site, name: SimulatedWorker(site, name, self.gate, lambda: None), workers=1
        )

    def publish(self, account_id: str, *, lane: Lane, kinds: list[str], **fields: Any) -> None:
        super().publish(account_id, lane=lane, kinds=kinds, **fields)
        remembered = self.gate.status()["remembered"]
        assert isinstance(remembered, int)
        assert remembered <= self.count

    def at_rest(self) -> None:
        self.run_for(300.0)
        places = self.gate.status()["conversations"]
        assert places <= self.site.gone  # type: ignore[operator]  # an int


class RedisMachine(GateMachine):
    """Two workers on one Redis; any of them may die, and Redis may be away for a moment."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.shared = SharedRedis(self.url, self.clock.now)
        self.populate(self._start, workers=2)
        self.run_for(0.3)

    def _start(self, site: Site, name: str) -> SimulatedWorker:
        store = StoreAtOnce(self.shared, on_fault=site.watch.line.disorder)
        gate = RedisGate(store, self.clock, prefix=self.shared.prefix, margin=MARGIN, keep_s=KEEP_S)
        running = self.loop.create_task(gate.run())

        def stop() -> None:
            store.cut()
            running.cancel()

        return SimulatedWorker(site, name, gate, stop)

    @rule(index=st.integers(0, 1))
    def worker_stops(self, index: int) -> None:
        self.site.retire(index)

    @rule(index=st.integers(0, 1))
    def worker_dies(self, index: int) -> None:
        self.site.workers[index].die()

    @rule(deaths=st.integers(1, 2))
    def workers_will_die_before_they_publish(self, deaths: int) -> None:
        self.site.deaths_at_publish = deaths

    @rule(
        account_id=accounts,
        fate=st.sampled_from(DEADLY),
    )
    def worker_will_die_in_a_call(self, account_id: str, fate: Fate) -> None:
        self.site.api.plans[account_id].appendleft(Call(fate))

    @rule(faults=st.lists(st.sampled_from(Fault), min_size=1, max_size=6))
    def redis_is_away(self, faults: list[Fault]) -> None:
        self.shared.faults.extend(faults)

    def teardown(self) -> None:
        self.shared.faults.clear()
        super().teardown()

    def close(self) -> None:
        super().close()
        self.shared.forget()


# The same examples each time. Without Phase.shrink: it takes minutes; add it to read a failure.
QUIET = settings(
    phases=[Phase.generate],
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)


def test_memory_gate_in_any_order_of_events() -> None:
    run_state_machine_as_test(
        MemoryMachine, settings=settings(QUIET, max_examples=100, stateful_step_count=40)
    )


def test_redis_gate_in_any_order_of_events(redis: str) -> None:
    RedisMachine.url = redis
    run_state_machine_as_test(
        RedisMachine, settings=settings(QUIET, max_examples=50, stateful_step_count=30)
    )
