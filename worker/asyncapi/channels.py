"""The channels that producers and operators meet, and what igsend does on each."""

from typing import Any

from worker.asyncapi.messages import BINDING_VERSION
from worker.core.outcome_event import Status
from worker.core.reason import ADVICE, Reason
from worker.rabbit.names import Names
from worker.rabbit.topology import INTAKE_DELIVERY_LIMIT as _MOST_RETURNS
from worker.rabbit.topology import Topology, topology_of

_ACCOUNT_ID = {
    "description": "The professional account's numeric id, as in the body.",
    "examples": ["17841405822304914"],
    "location": "$message.payload#/account_id",
}
_WHY = {
    Reason.INVALID: "No valid request: not JSON, against the schema, or an id used before.",
    Reason.REJECTED: "The answer of the API was final.",
    Reason.EXPIRED: "expires_at or the messaging window passed.",
    Reason.ACCOUNT: "Token, permission or policy of the account, or no such account.",
    Reason.EXHAUSTED: "No attempts are left.",
    Reason.UNCONFIRMED: "It may or may not have been sent.",
    Reason.SUSPECT: f"Put there by the broker: workers lost it more than {_MOST_RETURNS} times.",
}
_OTHER_LETTERS = {Reason.INVALID: "invalid-letter", Reason.SUSPECT: "suspect-letter"}


def channels(names: Names) -> dict[str, Any]:
    """Give every channel by its name in the document, which is the same for every prefix."""
    topology = topology_of(names)
    return {
        "requests": {
            "address": "{account_id}",
            "title": "Requests that a person waits for",
            "description": "Publish with confirms and mandatory; the routing key is the account's "
            "id. A wrong key loses nothing, it only spreads worse.",
            "messages": _messages("request"),
            "parameters": {"account_id": _ACCOUNT_ID},
            "bindings": _exchange(topology, names.requests),
        },
        "bulk": {
            "address": "{account_id}",
            "title": "Campaigns and other floods",
            "description": "As requests, but never in their way.",
            "messages": _messages("request"),
            "parameters": {"account_id": _ACCOUNT_ID},
            "bindings": _exchange(topology, names.bulk),
        },
        "outcomes": {
            "address": "{status}.{account_id}",
            "title": "How requests ended",
            "description": "Bind a queue of your own: `*.<account id>` for one account, "
            "`failed.#` for all that failed, `#` for everything. One event per request; it may "
            "come twice, so use `id` as the key.",
            "messages": _messages("outcome"),
            "parameters": {
                "status": {
                    "description": "The event's status.",
                    "enum": [status.value for status in Status],
                    "location": "$message.payload#/status",
                },
                "account_id": {
                    **_ACCOUNT_ID,
                    "description": "The account's id; `unknown` when it could not be read.",
                },
            },
            "bindings": _exchange(topology, names.outcomes),
        },
        "replies": {
            "address": None,
            "title": "Outcomes to whoever asked",
            "description": "The queue that a request names in the property reply_to; published "
            "through the default exchange.",
            "messages": _messages("outcome"),
            "bindings": _amqp("queue", {"queue": {"exclusive": True, "autoDelete": True}}),
        },
        **{f"dead-{reason.value}": _dead(topology, names, reason) for reason in Reason},
    }


def operations() -> dict[str, Any]:
    """Give what igsend does: it receives requests, and sends everything else."""
    return {
        "receive-request": _receiving("requests", "Take requests that a person waits for."),
        "receive-bulk-request": _receiving("bulk", "Take requests of campaigns."),
        "send-outcome": _sending("outcomes", "outcome", "Tell how a request ended."),
        **{
            f"bury-{reason.value}": _sending(
                f"dead-{reason.value}", _letter(reason), f"Put away: {_WHY[reason]}"
            )
            for reason in Reason
        },
    }


def _receiving(channel: str, summary: str) -> dict[str, Any]:
    return {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "bindings": {
            "amqp": {
                "ack": True,
                "deliveryMode": 2,
                "mandatory": True,
                "bindingVersion": BINDING_VERSION,
            }
        },
        "messages": [{"$ref": f"#/channels/{channel}/messages/request"}],
        "reply": {
            "address": {
                "description": "The AMQP property reply_to; without it there is no reply.",
                "location": "$message.header#/reply_to",
            },
            "channel": {"$ref": "#/channels/replies"},
            "messages": [{"$ref": "#/channels/replies/messages/outcome"}],
        },
    }


def _sending(channel: str, message: str, summary: str) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "bindings": {
            "amqp": {
                "deliveryMode": 2,
                # That nobody listens to outcomes is no fault.
                "mandatory": message != "outcome",
                "bindingVersion": BINDING_VERSION,
            }
        },
        "messages": [{"$ref": f"#/channels/{channel}/messages/{message}"}],
    }


def _dead(topology: Topology, names: Names, reason: Reason) -> dict[str, Any]:
    name = names.dead_queue(reason)
    (queue,) = (queue for queue in topology.queues if queue.name == name)
    return {
        "address": name,
        "title": f"Dead letters: {reason.value}",
        "description": f"{_WHY[reason]} {ADVICE[reason]}",
        "messages": _messages(_letter(reason)),
        "bindings": _amqp(
            "queue",
            {
                "queue": {"name": name, "durable": True, "exclusive": False, "autoDelete": False},
                "x-arguments": dict(queue.arguments),
            },
        ),
    }


def _letter(reason: Reason) -> str:
    return _OTHER_LETTERS.get(reason, "dead-letter")


def _messages(name: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/messages/{name}"}}


def _exchange(topology: Topology, name: str) -> dict[str, Any]:
    (exchange,) = (exchange for exchange in topology.exchanges if exchange.name == name)
    arguments = {"x-arguments": dict(exchange.arguments)} if exchange.arguments else {}
    described = {"name": name, "type": exchange.type, "durable": True, "autoDelete": False}
    return _amqp("routingKey", {"exchange": described, **arguments})


def _amqp(kind: str, binding: dict[str, Any]) -> dict[str, Any]:
    return {"amqp": {"is": kind, **binding, "bindingVersion": BINDING_VERSION}}
