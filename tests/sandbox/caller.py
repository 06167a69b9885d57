"""Calls a sandbox over a real socket, and the bodies to call it with."""

import json
from dataclasses import dataclass
from typing import Any

import aiohttp

ACCOUNT = "17841405822304914"
TOKEN = "IGAAfirst"
OTHER_ACCOUNT = "17841405822300001"
OTHER_TOKEN = "IGAAother"
PERSON = "6789012345"
COMMENT = "17865799348089039"
IMAGE = {"type": "image", "payload": {"url": "https://example.com/a.png"}}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read to its end."""

    status: int
    headers: dict[str, str]
    text: str
    json: Any

    @property
    def error(self) -> tuple[int, int | None, int | None]:
        """Status, code and subcode of an error."""
        return self.status, self.json["error"]["code"], self.json["error"].get("error_subcode")


class Caller:
    """An HTTP client that knows the token; each call goes out exactly as asked."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def call(self, method: str, path: str, **options: Any) -> Reply:
        """Make any call; no header is added but the client's own."""
        async with self._session.request(method, self.url + path, **options) as response:
            text = await response.text()
            body = json.loads(text) if text.startswith(("{", "[")) else None
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status, headers, text, body)

    async def send(self, body: Any, *, account: str = ACCOUNT, token: str = TOKEN) -> Reply:
        """Call the messages endpoint."""
        headers = {"Authorization": f"Bearer {token}"}
        return await self.call("POST", f"/v23.0/{account}/messages", json=body, headers=headers)

    async def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Call an endpoint of the sandbox's own, which must answer 200."""
        options = {} if body is None else {"json": body}
        reply = await self.call(method, f"/_sandbox/{path}", **options)
        assert reply.status == 200, reply.text
        return reply.json

    async def script(self, **script: Any) -> int:
        """Add a fault; give its id."""
        added = await self.admin("POST", "faults", script)
        return int(added["id"])


def a_text(text: str = "Hello", *, to: str = PERSON, **more: Any) -> dict[str, Any]:
    return {"recipient": {"id": to}, "message": {"text": text}, **more}


def a_message(**message: Any) -> dict[str, Any]:
    return {"recipient": {"id": PERSON}, "message": message}


def a_file(kind: str, url: str) -> dict[str, Any]:
    return a_message(attachment={"type": kind, "payload": {"url": url}})


def a_template(**payload: Any) -> dict[str, Any]:
    return a_message(attachment={"type": "template", "payload": payload})


def a_generic(**element: Any) -> dict[str, Any]:
    return a_template(template_type="generic", elements=[{"title": "Hat", **element}])


def a_button_template(*buttons: Any, text: str = "What next?") -> dict[str, Any]:
    return a_template(template_type="button", text=text, buttons=list(buttons))


def an_action(action: str, **payload: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"recipient": {"id": PERSON}, "sender_action": action}
    return {**body, "payload": payload} if payload else body


def a_private_reply(
    *, comment_id: str = COMMENT, text: str = "Sent you details", **more: Any
) -> dict[str, Any]:
    return {"recipient": {"comment_id": comment_id}, "message": {"text": text}, **more}


def quick_replies(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [
        {"content_type": "text", "title": f"Choice {index}", "payload": "CHOSEN", **changes}
        for index in range(count)
    ]


def a_url_button(**changes: Any) -> dict[str, Any]:
    return {"type": "web_url", "url": "https://example.com/", "title": "Visit", **changes}


def a_postback(**changes: Any) -> dict[str, Any]:
    return {"type": "postback", "title": "Start", "payload": "START", **changes}
