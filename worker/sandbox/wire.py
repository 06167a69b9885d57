"""What the sandbox can do to a connection besides answering: reset it, go silent, break off."""

import asyncio
import os
import socket
import struct

from aiohttp import web

_LINGER_ZERO = struct.pack("ii", 1, 0)
# The server library does not tell a running handler that its client has left.
_LOOK_EVERY_S = 0.1


async def send_whole(request: web.Request, response: web.Response) -> bool:
    """Write the answer; False when the client was gone."""
    try:
        await response.prepare(request)
        await response.write_eof()
    except ConnectionError:
        return False
    return True


async def send_half(request: web.Request, response: web.Response) -> None:
    """Write the headers and half of the body they promise, then close."""
    body = response.body
    whole = body if isinstance(body, bytes) else b""
    headers = {**response.headers, "Content-Length": str(len(whole))}
    half = web.StreamResponse(status=response.status, headers=headers)
    try:
        await half.prepare(request)
        await half.write(whole[: len(whole) // 2])
    except ConnectionError:
        return
    if request.transport is not None:
        request.transport.close()


def reset(request: web.Request) -> None:
    """Close with a TCP reset: without lingering, the kernel drops what is queued."""
    transport = request.transport
    if transport is None:
        return
    held = transport.get_extra_info("socket")
    # A duplicate, because what the loop hands out may not allow options to be set.
    with socket.socket(fileno=os.dup(held.fileno())) as duplicate:
        duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()


async def until_client_leaves(request: web.Request) -> None:
    """Wait, however long, until the other side closes the connection."""
    while not _has_left(request):  # noqa: ASYNC110 - the server offers no event for this
        await asyncio.sleep(_LOOK_EVERY_S)


def _has_left(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()
