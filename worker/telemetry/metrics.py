"""The metrics themselves, in a registry of their own. What they mean: metric_table.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

from worker.core.closure import CLOSED
from worker.core.delivery import Lane
from worker.core.outcome import Wait
from worker.core.reason import Reason
from worker.core.send_result import (
    Missed,
    NotSent,
    Refused,
    SendResult,
    Sent,
    Throttled,
    Unknown,
)
from worker.core.token_life import HORIZONS_S
from worker.telemetry.metric_table import METRICS
from worker.telemetry.outcome_class import OutcomeClass

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ROLES = ("consume", "publish")

_RESULTS: dict[type[SendResult], str] = {
    Sent: "sent",
    Refused: "refused",
    Throttled: "throttled",
    NotSent: "not_sent",
    Unknown: "unknown",
    Missed: "missed",
}
# Text takes 0.2 to 1 s; Meta fetches media for up to 75 s.
_CALL_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 30, 60, 100)
# From a prompt reply to one that waited for the end of a seven-day window.
_ACCEPTED_BUCKETS = (0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400, 604800)
_GATE_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2)
_LAG_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

# A time stamp that is further off was never meant as the moment of publishing.
_CLOCKS_APART_S, _OLDEST_S = 60.0, 30 * 86400.0

_ENDINGS = (
    (OutcomeClass.SENT, None),
    (OutcomeClass.DUPLICATE, None),
    (OutcomeClass.HELD, Reason.UNCONFIRMED),
    *((OutcomeClass.FAILED, reason) for reason in Reason if reason is not Reason.UNCONFIRMED),
)


@dataclass(frozen=True, slots=True)
class Gauges:
    """What the worker looks like at one moment."""

    in_hand: int
    consumers_expected: int
    consumers_registered: int
    accounts: int
    diverted_accounts: int = 0
    closed: Mapping[str, int] = field(default_factory=dict)
    sendable_backlog: float = 0.0
    oldest_sendable_age_s: float = 0.0


class Metrics:
    """Makes every series at the start: one that is 0 can be alerted on, one that is absent not."""

    def __init__(self, *, version: str, graph_version: str) -> None:
        # Its time stamps double the number of series.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # has no types
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._rows = {row.name: row for row in METRICS}
        self._make_counters()
        self._make_gauges()
        self._make_histograms()
        row = self._rows["igsend_build_info"]
        Info(row.name.removesuffix("_info"), row.meaning, registry=self.registry).info(
            {"version": version, "graph_version": graph_version}
        )

    def _make_counters(self) -> None:
        outcomes = self._counter("igsend_outcomes_total")
        self._outcomes = {
            (status, reason): outcomes.labels(status.value, reason.value if reason else "")
            for status, reason in _ENDINGS
        }
        deliveries = self._counter("igsend_deliveries_total")
        redeliveries = self._counter("igsend_redeliveries_total")
        self._deliveries = {lane: deliveries.labels(lane.value) for lane in Lane}
        self._redeliveries = {lane: redeliveries.labels(lane.value) for lane in Lane}
        parked = self._counter("igsend_parked_total")
        self._parked = {why: parked.labels(why.value) for why in Wait}
        unlisted = self._counter("igsend_unlisted_errors_total")
        self._unlisted = {True: unlisted.labels("yes"), False: unlisted.labels("no")}
        self._attempts = self._counter("igsend_attempts_total")
        self._retries = self._counter("igsend_retries_total")
        self._handed_back = self._counter("igsend_handed_back_total")
        self._publishes_repeated = self._counter("igsend_publishes_repeated_total")
        self._gate_errors = self._counter("igsend_gate_errors_total")
        self._replies_dropped = self._counter("igsend_replies_dropped_total")
        self._mishaps = self._counter("igsend_mishaps_total")

    def _make_gauges(self) -> None:
        self._api_calls = self._gauge("igsend_api_calls_in_flight")
        self._in_hand = self._gauge("igsend_in_hand")
        self._consumers_expected = self._gauge("igsend_consumers_expected")
        self._consumers_registered = self._gauge("igsend_consumers_registered")
        self._accounts = self._gauge("igsend_accounts_loaded")
        self._diverted = self._gauge("igsend_diverted_accounts")
        self._sendable = self._gauge("igsend_sendable_backlog")
        self._oldest_sendable_s = self._gauge("igsend_oldest_sendable_age_seconds")
        closed = self._gauge("igsend_closed_accounts")
        self._closed = {why: closed.labels(why) for why in CLOSED}
        tokens = self._gauge("igsend_tokens_ending")
        self._tokens_ending = {name: tokens.labels(name) for name in HORIZONS_S}
        self._soonest_end = self._gauge("igsend_token_soonest_end_timestamp_seconds")
        self._soonest_end.set(float("inf"))
        up, blocked = self._gauge("igsend_connection_up"), self._gauge("igsend_connection_blocked")
        self._connection_up = {role: up.labels(role) for role in ROLES}
        self._connection_blocked = {role: blocked.labels(role) for role in ROLES}

    def _make_histograms(self) -> None:
        calls = self._histogram("igsend_api_call_seconds", _CALL_BUCKETS)
        self._api_call_s = {result: calls.labels(name) for result, name in _RESULTS.items()}
        accepted = self._histogram("igsend_accepted_seconds", _ACCEPTED_BUCKETS)
        self._accepted_s = {lane: accepted.labels(lane.value) for lane in Lane}
        published = self._histogram("igsend_published_to_accepted_seconds", _ACCEPTED_BUCKETS)
        self._published_s = {lane: published.labels(lane.value) for lane in Lane}
        self._gate_call_s = self._histogram("igsend_gate_call_seconds", _GATE_BUCKETS)
        self._loop_lag_s = self._histogram("igsend_loop_lag_seconds", _LAG_BUCKETS)

    def exposition(self) -> bytes:
        """Give what a scrape reads, as CONTENT_TYPE."""
        return prometheus_client.generate_latest(self.registry)

    def delivery_received(self, lane: Lane, *, redelivered: bool) -> None:
        self._deliveries[lane].inc()
        if redelivered:
            self._redeliveries[lane].inc()

    def request_ended(self, status: OutcomeClass, reason: Reason | None) -> None:
        """Count a sent, failed, held or duplicate request; any other status is a KeyError."""
        self._outcomes[status, reason].inc()

    def request_accepted(
        self, lane: Lane, *, after_s: float, published_s: float | None = None
    ) -> None:
        """Both from then to the acceptance; `published_s` None where nobody said when that was."""
        self._accepted_s[lane].observe(max(0.0, after_s))
        if published_s is not None and -_CLOCKS_APART_S < published_s < _OLDEST_S:
            self._published_s[lane].observe(max(0.0, published_s))

    def attempt_made(self) -> None:
        self._attempts.inc()

    def request_retried(self) -> None:
        self._retries.inc()

    def request_parked(self, why: Wait) -> None:
        self._parked[why].inc()

    def request_handed_back(self) -> None:
        self._handed_back.inc()

    def unlisted_error_met(self, *, is_code_known: bool) -> None:
        self._unlisted[is_code_known].inc()

    def api_call_started(self) -> None:
        """To be followed by `api_call_left`, however the call ends."""
        self._api_calls.inc()

    def api_call_left(self) -> None:
        self._api_calls.dec()

    def api_call_answered(self, result: SendResult, *, after_s: float) -> None:
        self._api_call_s[type(result)].observe(after_s)

    def gate_answered(self, *, after_s: float) -> None:
        self._gate_call_s.observe(after_s)

    def gate_failed(self) -> None:
        self._gate_errors.inc()

    def publish_repeated(self) -> None:
        self._publishes_repeated.inc()

    def reply_dropped(self) -> None:
        self._replies_dropped.inc()

    def mishap_happened(self) -> None:
        self._mishaps.inc()

    def show(self, gauges: Gauges) -> None:
        self._in_hand.set(gauges.in_hand)
        self._consumers_expected.set(gauges.consumers_expected)
        self._consumers_registered.set(gauges.consumers_registered)
        self._accounts.set(gauges.accounts)
        self._diverted.set(gauges.diverted_accounts)
        for why, count in gauges.closed.items():
            self._closed[why].set(count)
        self._sendable.set(round(gauges.sendable_backlog, 1))
        self._oldest_sendable_s.set(round(gauges.oldest_sendable_age_s, 1))

    def show_tokens(self, within: Mapping[str, int], *, soonest_end: float) -> None:
        for name, count in within.items():
            self._tokens_ending[name].set(count)
        self._soonest_end.set(soonest_end)

    def show_connection(self, role: str, *, is_up: bool, is_blocked: bool) -> None:
        self._connection_up[role].set(is_up)
        self._connection_blocked[role].set(is_blocked)

    def loop_lagged(self, lag_s: float) -> None:
        self._loop_lag_s.observe(lag_s)

    def _counter(self, name: str) -> Counter:
        row = self._rows[name]
        return Counter(name, row.meaning, row.labels, registry=self.registry)

    def _gauge(self, name: str) -> Gauge:
        row = self._rows[name]
        return Gauge(name, row.meaning, row.labels, registry=self.registry)

    def _histogram(self, name: str, buckets: tuple[float, ...]) -> Histogram:
        row = self._rows[name]
        return Histogram(name, row.meaning, row.labels, registry=self.registry, buckets=buckets)
