"""Moves what a diverted account still has in an interactive queue after its diversion.

The broker diverts what is published from now on. What was published before lies in front of the
quiet accounts of its partition: each message of it is carried to the bulk lane, unread, without a
task of its own.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from worker.rabbit.confirmed import ConfirmedPublishing, Message
from worker.rabbit.message import header_of_a_producer
from worker.rabbit.names import Names
from worker.rabbit.wire.deliveries import Incoming


class Mover:
    """Publishes to the bulk lane, and acks when the broker has confirmed.

    `on_moved` is told from which queue.
    """

    def __init__(
        self,
        names: Names,
        publishing: ConfirmedPublishing,
        is_diverted: Callable[[str], bool],
        *,
        on_moved: Callable[[str], None],
    ) -> None:
        self._bulk = names.bulk
        self._publishing = publishing
        self._is_diverted = is_diverted
        self._on_moved = on_moved

    def moves(self, message: Incoming, *, otherwise: Callable[[Incoming], None]) -> bool:
        """Begin to move a message of an interactive queue; False for one that stays there.

        `otherwise` gets a message that the broker did not take: it runs like any other then.
        What we parked ourselves has its slot, and stays in its lane.
        """
        key = message.deliver.routing_key
        if not self._is_diverted(key):
            return False
        header = header_of_a_producer(message)
        if header is None:
            return False
        confirmed = self._publishing.begin(Message(self._bulk, key, message.body, header))
        if confirmed is None:
            return False
        confirmed.add_done_callback(partial(_moved, message, otherwise))
        self._on_moved(message.deliver.consumer)
        return True


def _moved(
    message: Incoming, otherwise: Callable[[Incoming], None], confirmed: asyncio.Future[None]
) -> None:
    if confirmed.cancelled() or confirmed.exception() is not None:
        otherwise(message)
    else:
        message.receipt.ack()
