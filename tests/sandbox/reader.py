"""Calls the Conversations API of a sandbox as a careful client would."""

from typing import Any

from tests.sandbox.caller import ACCOUNT, PERSON, TOKEN, Caller, Reply

DETAILS = "id,created_time,from,to,message,attachments"


async def unhurried(caller: Caller, **settings: Any) -> None:
    """Let tests ask as often as they like, and change other settings."""
    await caller.admin("PUT", "settings", {"reads_per_s": None, **settings})


async def read(caller: Caller, path: str, *, token: str = TOKEN, **query: str) -> Reply:
    """GET below the version."""
    headers = {"Authorization": f"Bearer {token}"}
    return await caller.call("GET", f"/v23.0/{path}", params=query, headers=headers)


async def conversation_with(caller: Caller, person: str = PERSON) -> str | None:
    """Find the conversation of the account with a person."""
    query = {"platform": "instagram", "user_id": person}
    reply = await read(caller, f"{ACCOUNT}/conversations", **query)
    assert reply.status == 200, reply.text
    rows = reply.json["data"]
    return rows[0]["id"] if rows else None


async def messages_with(
    caller: Caller, person: str = PERSON, *, limit: int = 100
) -> list[dict[str, Any]]:
    """List the conversation with all details, newest first; empty when there is none."""
    conversation = await conversation_with(caller, person)
    if conversation is None:
        return []
    fields = f"messages.limit({limit}){{{DETAILS}}}"
    reply = await read(caller, conversation, fields=fields)
    assert reply.status == 200, reply.text
    assert reply.json["id"] == conversation
    rows: list[dict[str, Any]] = reply.json["messages"]["data"]
    return rows
