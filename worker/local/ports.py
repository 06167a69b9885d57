"""Loopback TCP ports: finding free ones, and asking whoever listens there for a sign of life."""

import asyncio
import contextlib
import secrets
import socket

LOOPBACK = "127.0.0.1"
# Below the range systems hand out for outgoing connections: a node that is restarted on its port
# must not find it taken by somebody's client socket.
_LOWEST, _HIGHEST = 12_000, 32_000
_REPLY_WITHIN_S = 2.0


def free_ports(count: int) -> tuple[int, ...]:
    """Give distinct ports that nobody listens on now; another process may still be faster."""
    with contextlib.ExitStack() as held:
        return tuple(_hold_a_port(held) for _ in range(count))


def _hold_a_port(held: contextlib.ExitStack) -> int:
    for _ in range(200):
        port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
        candidate = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        # As servers do: a port whose last connection has just ended counts as free.
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((LOOPBACK, port))
        except OSError:
            continue
        return port
    raise OSError(f"no free port on {LOOPBACK} between {_LOWEST} and {_HIGHEST}")


async def reply_from(port: int, question: bytes) -> bytes:
    """Send `question` and give the first bytes of the answer; empty when nobody answers."""
    try:
        async with asyncio.timeout(_REPLY_WITHIN_S):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(question)
                await writer.drain()
                return await reader.read(64)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return b""
