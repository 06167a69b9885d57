"""aioresponses made to work with aiohttp 3.14, for small tests of what the client asks."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import aiohttp
from aioresponses import aioresponses


class _Response(aiohttp.ClientResponse):
    """aiohttp 3.14 wants a stream writer, which aioresponses 0.7 does not pass."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("stream_writer", SimpleNamespace(output_size=0))
        super().__init__(*args, **kwargs)


@contextmanager
def mocked_api(url: str, **answer: Any) -> Iterator[aioresponses]:
    """Answer one GET of `url`; everything else that is asked for in a session is refused."""
    with aioresponses() as api:
        api.get(url, response_class=_Response, **answer)
        yield api
