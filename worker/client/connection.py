"""The client's connections to RabbitMQ: they come back by themselves and say how they are."""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Literal

from worker.client.errors import CannotConnect
from worker.rabbit.link import Link
from worker.rabbit.wire.connection import Wire

_log = logging.getLogger("igsend.client")
# The broker said no; to ask again would not change that.
_REFUSALS = ("ProbableAuthenticationError", "AuthenticationError", "ConnectionNotAllowed")


class ClientLink:
    """One supervised connection. Implements the observer of its link too."""

    def __init__(self, url: str, *, role: str) -> None:
        name = f"igsend-client/{socket.gethostname()}-{os.getpid()}"
        self._link = Link(url, role=role, name=name, observer=self)
        self._said: asyncio.Queue[str] = asyncio.Queue()
        self._was_up = False

    @property
    def trouble(self) -> str | None:
        """Why it cannot be used now: down, or blocked by an alarm of the broker."""
        return self._link.trouble

    async def run(self, use: Callable[[Wire], Awaitable[None]]) -> None:
        """Serve for ever."""
        await self._link.run(use)

    async def until_up(self, *, timeout_s: float) -> None:
        """Wait for the first connection. Raises CannotConnect, at once if the user is refused."""
        detail = "no answer"
        try:
            async with asyncio.timeout(timeout_s):
                while (said := await self._said.get()) != "":
                    detail = said
                    if detail.startswith(_REFUSALS):
                        break
                else:
                    return
        except TimeoutError:
            pass
        raise CannotConnect(
            f"RabbitMQ did not let the client in ({detail}); look at the URL: address, user, "
            "password, virtual host"
        )

    def link_changed(
        self, role: str, *, state: Literal["up", "down", "blocked"], detail: str
    ) -> None:
        """Note that the connection came, went, or is blocked by the broker."""
        if not self._was_up:
            self._said.put_nowait("" if state == "up" else detail)
        self._was_up = self._was_up or state == "up"
        level = logging.INFO if state == "up" else logging.WARNING
        _log.log(level, "the %s connection to RabbitMQ is %s %s", role, state, detail)
