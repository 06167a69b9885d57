"""What has to be true of the broker before the worker consumes from it."""

import asyncio

from aiormq.abc import AbstractConnection

from worker.rabbit.declare import TopologyError, declare, verify_intake
from worker.rabbit.names import Names
from worker.rabbit.topology import topology_of

# A predecessor on the memory gate may still be draining when this worker starts.
OTHERS_GRACE_S = 30.0
OTHERS_POLL_S = 1.0


class Preparation:
    """Brings the topology about, or verifies it, on every new connection.

    Trouble on the first connection is a fault of the set-up and ends the worker (`refused`);
    later it is the broker's trouble, and the link tries again.
    """

    def __init__(self, names: Names, *, declares: bool, may_share: bool) -> None:
        self._names = names
        self._declares = declares
        self._may_share = may_share
        self._was_fine = False
        self.refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def __call__(self, connection: AbstractConnection) -> None:
        """Raises ConnectionError when the worker must not consume over this connection."""
        try:
            if self._declares:
                await declare(connection, topology_of(self._names))
            consumers = await verify_intake(connection, tuple(self._names.intake))
            if consumers and not self._was_fine and not self._may_share:
                await self._wait_for_others(connection)
        except TopologyError as error:
            if not self._was_fine and not self.refused.done():
                self.refused.set_result(str(error))
            raise ConnectionError(str(error)) from error
        self._was_fine = True

    async def _wait_for_others(self, connection: AbstractConnection) -> None:
        """Give a predecessor time to leave: the memory gate knows nothing of its sends."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + OTHERS_GRACE_S
        while await verify_intake(connection, tuple(self._names.intake)):
            if loop.time() > deadline:
                raise TopologyError(
                    "another worker consumes these queues, and IGSEND_GATE_URL=memory:// keeps "
                    "limits for one worker only; stop the other, or set "
                    "IGSEND_ALLOW_OTHER_CONSUMERS=true if sending too fast and in the wrong order "
                    "is acceptable"
                )
            await asyncio.sleep(OTHERS_POLL_S)
