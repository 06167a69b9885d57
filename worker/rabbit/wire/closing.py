"""Closes a channel as a whole, whoever is cancelled meanwhile."""

import asyncio

from aiormq.abc import AbstractChannel


async def close(channel: AbstractChannel) -> None:
    """Close it, and only then be cancelled. Nothing to do for one that is closed.

    aiormq 7.2.4 answers a cancellation that comes together with the broker's answer by a second
    close of the same channel. For that the broker ends the connection.
    """
    closing = asyncio.ensure_future(channel.close())
    try:
        await asyncio.shield(closing)
    except asyncio.CancelledError:
        await asyncio.wait([closing])
        if not closing.cancelled():
            # Who is cancelled is not told that the close failed, and asyncio need not tell it.
            closing.exception()
        raise
