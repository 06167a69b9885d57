"""The Lua scripts, read from the package once."""

from importlib.resources import files

from worker.gate.redis.script import Script

_FOLDER = files("worker.gate.redis") / "lua"


def _read(name: str) -> str:
    return (_FOLDER / f"{name}.lua").read_text("utf-8")


def _of_account(name: str) -> Script:
    return Script(name, _read("common") + _read(name))


ADMIT = _of_account("admit")
ADVANCE = _of_account("advance")
CLOSE = _of_account("close")
CONCLUDE = _of_account("conclude")
DELAY = _of_account("delay")
READ = _of_account("read")
RENEW = _of_account("renew")
SETTLED = _of_account("settled")
PLATFORM = Script("platform", _read("platform"))
APP = Script("app", _read("app"))
INSPECT_ACCOUNT = Script("inspect_account", _read("inspect_account"))
INSPECT_REQUEST = Script("inspect_request", _read("inspect_request"))
