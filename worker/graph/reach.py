"""Whether the API can be reached at all, for `igsend doctor`. Sends no token."""

import os

import aiohttp


class ReachError(Exception):
    """No HTTP answer; the text names the kind of failure."""


async def date_header(url: str, *, timeout_s: float) -> str | None:
    """Ask for the root page and give its Date header; raises ReachError without an answer."""
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.head(url, allow_redirects=False) as answer,
        ):
            return answer.headers.get("Date")
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise ReachError(f"no answer ({type(error).__name__}{_why(error)})") from error


def _why(error: Exception) -> str:
    """Give the system's word for it, if it has one; asyncio's own names only the address."""
    if not isinstance(error, OSError) or error.errno is None:
        return ""
    return f": {os.strerror(error.errno) if error.errno > 0 else error.strerror}"
