"""The sandbox takes every body that the published examples of valid requests lead to."""

import json
from pathlib import Path
from textwrap import wrap
from typing import Any

import pytest

from tests.sandbox.caller import Caller

_EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples" / "valid"
_NAMES = sorted(path.stem for path in _EXAMPLES.glob("*.json"))


def _bodies_of(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the calls a request stands for: its Graph part, once for each message."""
    action = {name: request[name] for name in request.keys() & {"sender_action", "payload"}}
    recipient = {name: value for name, value in request["recipient"].items() if name != "live"}
    messages = [request["message"]] if "message" in request else request.get("messages", [])
    if request.get("split"):
        # Some cut or other: the sandbox knows nothing of the worker's rules.
        messages = [{"text": piece} for message in messages for piece in wrap(message["text"], 900)]
    parts = [{"message": message} for message in messages] or [action]
    return [{"recipient": recipient, **part} for part in parts]


def test_there_are_examples() -> None:
    assert len(_NAMES) > 20


@pytest.mark.parametrize("name", _NAMES)
async def test_example_is_accepted(name: str, caller: Caller) -> None:
    request = json.loads((_EXAMPLES / f"{name}.json").read_text())
    for body in _bodies_of(request):
        reply = await caller.send(body)
        assert reply.status == 200, reply.text
