"""Every metric of ours as data: what it is called, its labels and what it means.

No label has an account, a person or an id: their number has no bound.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric under the name that a scrape shows."""

    name: str
    kind: Literal["counter", "gauge", "histogram", "info"]
    meaning: str
    labels: tuple[str, ...] = ()


METRICS = (
    MetricRow(
        "igsend_deliveries_total",
        "counter",
        "Deliveries taken from the broker, redeliveries included.",
        ("lane",),
    ),
    MetricRow(
        "igsend_redeliveries_total",
        "counter",
        "Deliveries that the broker had handed out before.",
        ("lane",),
    ),
    MetricRow(
        "igsend_outcomes_total",
        "counter",
        "Requests that ended, and repeated ones answered (duplicate); reason is empty when sent.",
        ("status", "reason"),
    ),
    MetricRow(
        "igsend_attempts_total",
        "counter",
        "Passes that called the API at least once.",
    ),
    MetricRow(
        "igsend_retries_total",
        "counter",
        "Passes that end in another attempt later: tried, certainly not sent.",
    ),
    MetricRow(
        "igsend_parked_total",
        "counter",
        "Requests put off without an attempt, by what they wait for.",
        ("why",),
    ),
    MetricRow(
        "igsend_handed_back_total",
        "counter",
        "Requests given back to the broker untouched, because the worker was stopping.",
    ),
    MetricRow(
        "igsend_accepted_seconds",
        "histogram",
        "From the first sight of a request to the API's acceptance of its last part.",
        ("lane",),
    ),
    MetricRow(
        "igsend_published_to_accepted_seconds",
        "histogram",
        "The same from the moment of publishing, where the producer gave its messages a timestamp "
        "(whole seconds, by its clock).",
        ("lane",),
    ),
    MetricRow(
        "igsend_gate_call_seconds",
        "histogram",
        "Calls of Redis by the gate, from the request's question to the answer; none with memory.",
    ),
    MetricRow(
        "igsend_gate_errors_total",
        "counter",
        "Calls of Redis that failed: it was away, too slow, or refused them.",
    ),
    MetricRow(
        "igsend_closed_accounts",
        "gauge",
        "Accounts that nobody may call now, as far as this worker knows: refused by the API, or "
        "throttled; app counts 1 while all are.",
        ("why",),
    ),
    MetricRow(
        "igsend_api_call_seconds",
        "histogram",
        "Calls to the API, by what they came to.",
        ("result",),
    ),
    MetricRow("igsend_api_calls_in_flight", "gauge", "Calls to the API that are open now."),
    MetricRow(
        "igsend_unlisted_errors_total",
        "counter",
        "Requests that ended or wait because of an API error that the error table does not list; "
        "code_known is yes when only its subcode is new.",
        ("code_known",),
    ),
    MetricRow("igsend_in_hand", "gauge", "Deliveries taken and not settled yet."),
    MetricRow(
        "igsend_sendable_backlog",
        "gauge",
        "Requests that could go now, limits considered: this worker's part of it, so add up the "
        "workers. Calls under way count, what an account's limit holds back does not.",
    ),
    MetricRow(
        "igsend_oldest_sendable_age_seconds",
        "gauge",
        "How long the first request that could go has waited in its queue or in hand, estimated; "
        "of several workers take the greatest.",
    ),
    MetricRow("igsend_consumers_expected", "gauge", "Consumers this worker should have."),
    MetricRow("igsend_consumers_registered", "gauge", "Consumers the broker has for it now."),
    MetricRow(
        "igsend_connection_up",
        "gauge",
        "1 while the connection to RabbitMQ is open; role is consume or publish.",
        ("role",),
    ),
    MetricRow(
        "igsend_connection_blocked",
        "gauge",
        "1 while RabbitMQ blocks the connection (memory or disk alarm).",
        ("role",),
    ),
    MetricRow(
        "igsend_publishes_repeated_total",
        "counter",
        "Publishes made again: refused by the broker, or unconfirmed when a connection was lost.",
    ),
    MetricRow(
        "igsend_replies_dropped_total",
        "counter",
        "Outcomes that could not go to a producer's reply_to address.",
    ),
    MetricRow(
        "igsend_mishaps_total",
        "counter",
        "Errors inside the worker while it had a request in hand. Each is a bug.",
    ),
    MetricRow("igsend_accounts_loaded", "gauge", "Accounts the worker may send for."),
    MetricRow(
        "igsend_tokens_ending",
        "gauge",
        "Accounts whose token is known to end within 0 (it has ended), 1 or 10 days.",
        ("within",),
    ),
    MetricRow(
        "igsend_token_soonest_end_timestamp_seconds",
        "gauge",
        "When the first token of all ends, in unix seconds; +Inf while no end is known.",
    ),
    MetricRow(
        "igsend_diverted_accounts",
        "gauge",
        "Accounts that are diverted into the bulk lane, as far as this worker knows.",
    ),
    MetricRow(
        "igsend_loop_lag_seconds",
        "histogram",
        "How late the event loop was, measured twice a second.",
    ),
    MetricRow(
        "igsend_build_info",
        "info",
        "Always 1; the labels say which worker runs and which version of the API it calls.",
        ("version", "graph_version"),
    ),
)
