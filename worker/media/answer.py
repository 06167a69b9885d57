"""Reads the headers of a server's answer about a file."""

import re

import aiohttp

from worker.core.media_rules import Found

_ESSENCE = re.compile(r"[a-z]{1,20}/[a-z0-9][a-z0-9.+-]{0,60}")
_SIZE = re.compile(r"[1-9][0-9]{0,17}")
_REDIRECTIONS = frozenset({301, 302, 303, 307, 308})


def redirection_of(answer: aiohttp.ClientResponse) -> str | None:
    """Give where the answer sends the client; None when it is an answer itself."""
    return answer.headers.get("Location") if answer.status in _REDIRECTIONS else None


def found_in(answer: aiohttp.ClientResponse) -> Found:
    """Take what is certain: a length of 0, or of compressed bytes, says nothing of the file."""
    headers = answer.headers
    if answer.status == 206:
        length = headers.get("Content-Range", "").rpartition("/")[2]
    elif headers.get("Content-Encoding", "identity").lower() == "identity":
        length = headers.get("Content-Length", "")
    else:
        length = ""
    content_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return Found(
        answer.status,
        content_type if _ESSENCE.fullmatch(content_type) else None,
        int(length) if _SIZE.fullmatch(length) else None,
    )
