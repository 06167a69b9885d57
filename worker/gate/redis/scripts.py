"""The Lua scripts, read from the package once."""

from importlib.resources import files

from worker.gate.redis.script import Script

_FOLDER = files("worker.gate.redis") / "lua"


def _read(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text("utf-8")


def _decision(name: str) -> str:
    # What is local to one must not count towards the 200 locals that Lua allows the whole.
    return f"do\n{_read(name)}end\n"


ADMIT, ADVANCE, CLOSE, CONCLUDE = "admit", "advance", "close", "conclude"
DELAY, READ, RENEW, SETTLED = "delay", "read", "renew", "settled"
_DECISIONS = (ADMIT, ADVANCE, CLOSE, CONCLUDE, DELAY, READ, RENEW, SETTLED)
# How many arguments each call of it has: the decision, `ask`, and at most four more.
DECIDE_WIDTH = 6
DECIDE = Script(
    "decide",
    "".join((_read("common"), *map(_decision, _DECISIONS), _read("decide"))),
    takes_many=True,
)
PLATFORM = Script("platform", _read("platform"))
APP = Script("app", _read("app"))
INSPECT_ACCOUNT = Script("inspect_account", _read("inspect_account"))
INSPECT_REQUEST = Script("inspect_request", _read("inspect_request"))
