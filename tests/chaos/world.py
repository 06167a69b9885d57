"""Tells a strict sandbox who wrote to whom before any request comes."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace

from tests.chaos.requests import PLACE_OF_ID, Wanted
from tests.replicas.site import Site

_AT_ONCE = 16


async def register(site: Site, wanted: Sequence[Wanted]) -> list[Wanted]:
    """Have every person write once and every comment appear; give the requests completed."""
    free = asyncio.Semaphore(_AT_ONCE)

    async def one(each: Wanted) -> Wanted:
        async with free:
            return await _register(site, each)

    known: dict[tuple[str, str], Wanted] = {}
    for each in wanted:
        if each.parts:
            known.setdefault((each.account_id, each.recipient_id), each)
    done = {each.name: each for each in await asyncio.gather(*map(one, known.values()))}
    return [done.get(each.name, each) for each in wanted]


async def _register(site: Site, each: Wanted) -> Wanted:
    person = {"account_id": each.account_id, "user_id": each.recipient_id}
    if each.kind == "private":
        comment = json.loads(each.letters[0].body)["recipient"]
        await site.admin("POST", "comments", {**person, **comment})
        return each
    message_id = (await site.admin("POST", "inbound", person))["message_id"]
    if each.kind != "reaction":
        return each
    (letter,) = each.letters
    written = letter.body.replace(PLACE_OF_ID.encode(), message_id.encode())
    return replace(each, letters=(replace(letter, body=written),))
