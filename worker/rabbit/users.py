"""Who may do what on the broker: the least each kind of user needs, as data.

`deploy/rabbitmq/users.json` and the chart's resources are checked against this table.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

# A name that the broker gives to an exclusive queue, which only its connection can reach.
_OWN_QUEUE = r"amq\.gen-.*"
NOTHING = "^$"


@dataclass(frozen=True, slots=True)
class User:
    """A kind of user; the permissions are RabbitMQ's regular expressions."""

    name: str
    configure: str
    write: str
    read: str
    tags: tuple[str, ...] = ()

    @property
    def login(self) -> str:
        return f"igsend-{self.name}"


def users_of(prefix: str) -> tuple[User, ...]:
    """Give every kind of user, for the exchanges and queues of a prefix."""
    ours = re.escape(prefix).replace("\\-", "-")
    return (
        User(
            "producer",
            configure=f"^{_OWN_QUEUE}$",
            # Binding its own queue to the outcomes needs write there and read on the exchange.
            write=rf"^({ours}\.(requests|bulk)|{_OWN_QUEUE})$",
            read=rf"^({ours}\.outcomes|{_OWN_QUEUE})$",
        ),
        User(
            "worker",
            configure=NOTHING,
            # The default exchange is for reply_to; a diversion binds ig.requests to ig.bulk.
            write=rf"^({ours}\.(bulk|dead|outcomes|delay\.\d\d)|amq\.default)$",
            read=rf"^{ours}\.(requests|send\.v1\.\d\d|bulk\.v1)$",
        ),
        User(
            "operator",
            configure=rf"^({ours}\.dead\.[a-z]+\.lock|{_OWN_QUEUE})$",
            # The default exchange is for `igsend dead import`, which fills one queue.
            write=rf"^({ours}\.(requests|bulk)|amq\.default|{_OWN_QUEUE})$",
            read=rf"^({ours}\.(dead\.[a-z]+|outcomes)|{_OWN_QUEUE})$",
        ),
        User("autoscaler", NOTHING, NOTHING, NOTHING, tags=("monitoring",)),
        User("deployer", rf"^{ours}\.", rf"^{ours}\.", rf"^{ours}\."),
    )


def user_definitions(prefix: str, *, vhost: str, passwords: Mapping[str, str]) -> dict[str, object]:
    """Write the users as definitions; `passwords` has those known by the name of the user.

    A user without one has an empty hash, with which RabbitMQ lets nobody in.
    """
    users = users_of(prefix)
    return {
        "users": [
            {
                "name": user.login,
                "password_hash": _hash(passwords[user.name]) if user.name in passwords else "",
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": ",".join(user.tags),
                "limits": {},
            }
            for user in users
        ],
        "permissions": [
            {
                "user": user.login,
                "vhost": vhost,
                "configure": user.configure,
                "write": user.write,
                "read": user.read,
            }
            for user in users
        ],
    }


def _hash(password: str) -> str:
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
