"""Keeps picked letters until they are worked on: in memory, or when they are many, in a file.

The file has no name and goes with the process: it holds what people were to be told.
"""

import pickle
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile

from worker.rabbit.wire.deliveries import Deliveries, Incoming, Receipt
from worker.rabbit.wire.frames import Deliver

_IN_MEMORY = 32 * 1024 * 1024


class Spool:
    """Letters in the order in which they came. First all `add`, then all iteration."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  # see close
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, message: Incoming) -> None:
        """Keep a letter. Raises OSError when the disk is full."""
        pickle.dump((tuple(message.deliver), message.header, message.body), self._file)
        self._count += 1

    def letters(self, deliveries: Deliveries) -> Iterator[Incoming]:
        """Give them; `deliveries` is where they are settled."""
        self._file.seek(0)
        for _ in range(self._count):
            deliver, header, body = pickle.load(self._file)
            what = Deliver(*deliver)
            yield Incoming(what, header, body, Receipt(deliveries, what.tag))

    def close(self) -> None:
        """Forget them."""
        self._file.close()
