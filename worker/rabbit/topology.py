"""Exchanges, queues and bindings as data. What they are for: design 4.

All queues are quorum queues with an explicit delivery limit: the defaults differ between
RabbitMQ 3.10, 4.0 and 4.3, and each of them loses messages in another way.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from worker.core.reason import Reason
from worker.rabbit.names import DELAY_LEVELS, Names

Arguments = Mapping[str, str | int]

# Returned this often, a message is suspected of killing its workers.
INTAKE_DELIVERY_LIMIT = 20
# Looking at a dead letter counts as a delivery; -1 means "drop at once" on 3.10.
ENDLESS_DELIVERY_LIMIT = 1_000_000
# Of the plugin rabbitmq_consistent_hash_exchange.
SPREAD_TYPE = "x-consistent-hash"


@dataclass(frozen=True, slots=True)
class Exchange:
    name: str
    type: str
    arguments: Arguments = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Queue:
    name: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Binding:
    """From `source` to a queue, or to an exchange when `to_exchange`."""

    source: str
    destination: str
    routing_key: str
    to_exchange: bool = False


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything one prefix needs, in an order that can be declared."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]


def topology_of(names: Names) -> Topology:
    """Describe the whole topology of a prefix."""
    outcomes = Topology((Exchange(names.outcomes, "topic"),), (), ())
    parts = [_dead_letters(names), _intake(names), _delays(names), outcomes]
    return Topology(
        exchanges=tuple(e for part in parts for e in part.exchanges),
        queues=tuple(q for part in parts for q in part.queues),
        bindings=tuple(b for part in parts for b in part.bindings),
    )


def _intake(names: Names) -> Topology:
    arguments: Arguments = {
        "x-queue-type": "quorum",
        "x-delivery-limit": INTAKE_DELIVERY_LIMIT,
        "x-dead-letter-exchange": names.dead,
        "x-dead-letter-routing-key": Reason.SUSPECT.value,
        # At-least-once dead-lettering needs reject-publish; without a length limit that never
        # rejects anything.
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    # One partition needs no hash, and so no plugin. With the hash a binding key is a weight.
    spread_type, weight = ("fanout", "") if names.partitions == 1 else (SPREAD_TYPE, "1")
    return Topology(
        exchanges=(
            Exchange(names.spread, spread_type),
            Exchange(names.requests, "direct", {"alternate-exchange": names.spread}),
            Exchange(names.bulk, "fanout"),
        ),
        queues=tuple(Queue(name, arguments) for name in names.intake),
        bindings=(
            *(Binding(names.spread, name, weight) for name in names.send_queues),
            Binding(names.bulk, names.bulk_queue, ""),
        ),
    )


def _delays(names: Names) -> Topology:
    exchanges = [Exchange(names.deliver, "topic")]
    queues, bindings = [], []
    for level in range(DELAY_LEVELS):
        name = names.delay(level)
        below = names.delay(level - 1) if level else names.deliver
        # A key has one word per bit; a level looks at its own and skips those before it.
        skipped = "*." * (DELAY_LEVELS - 1 - level)
        exchanges.append(Exchange(name, "topic"))
        queues.append(
            Queue(
                name,
                {
                    "x-queue-type": "quorum",
                    "x-delivery-limit": ENDLESS_DELIVERY_LIMIT,
                    "x-message-ttl": 1000 * 2**level,
                    "x-dead-letter-exchange": below,
                    "x-dead-letter-strategy": "at-least-once",
                    "x-overflow": "reject-publish",
                },
            )
        )
        bindings.append(Binding(name, name, f"{skipped}1.#"))
        bindings.append(Binding(name, below, f"{skipped}0.#", to_exchange=True))
    bindings += [Binding(names.deliver, queue, f"#.{queue}") for queue in names.intake]
    return Topology(tuple(exchanges), tuple(queues), tuple(bindings))


def _dead_letters(names: Names) -> Topology:
    arguments: Arguments = {
        "x-queue-type": "quorum",
        "x-delivery-limit": ENDLESS_DELIVERY_LIMIT,
    }
    return Topology(
        exchanges=(Exchange(names.dead, "direct"),),
        queues=tuple(Queue(names.dead_queue(reason), arguments) for reason in Reason),
        bindings=tuple(
            Binding(names.dead, names.dead_queue(reason), reason.value) for reason in Reason
        ),
    )


def definitions_of(topology: Topology, *, vhost: str) -> dict[str, object]:
    """Write the topology as a RabbitMQ definitions document, for `rabbitmqctl import`."""
    return {
        "exchanges": [
            {
                "name": exchange.name,
                "vhost": vhost,
                "type": exchange.type,
                "durable": True,
                "auto_delete": False,
                "internal": False,
                "arguments": dict(exchange.arguments),
            }
            for exchange in topology.exchanges
        ],
        "queues": [
            {
                "name": queue.name,
                "vhost": vhost,
                "durable": True,
                "auto_delete": False,
                "arguments": dict(queue.arguments),
            }
            for queue in topology.queues
        ],
        "bindings": [
            {
                "source": binding.source,
                "vhost": vhost,
                "destination": binding.destination,
                "destination_type": "exchange" if binding.to_exchange else "queue",
                "routing_key": binding.routing_key,
                "arguments": {},
            }
            for binding in topology.bindings
        ],
    }
