"""How much the sink can take by itself: proof that it is not what is measured."""

import re
import shutil
from pathlib import Path

from tests.support.commands import run
from worker.local.errors import NodeMissingError

_SECONDS = 2
_CONNECTIONS = 64
_RATE = re.compile(r"^Requests/sec: *([\d.]+)", re.MULTILINE)
_SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.path = "/v23.0/17841400000000001/messages"
wrk.body = '{"recipient":{"id":"6000000001"},"message":{"text":"load-1/0"}}'
"""


async def sink_per_s(url: str, folder: Path) -> float:
    """Give the POSTs a second that it answers over kept connections, to wrk."""
    program = shutil.which("wrk")
    if program is None:
        raise NodeMissingError("wrk is not installed: scripts/bench-setup, or the package wrk")
    script = folder / "post.lua"
    script.write_text(_SCRIPT)
    finished = await run(
        program, "-t1", f"-c{_CONNECTIONS}", f"-d{_SECONDS}s", "-s", script, url, folder=folder
    )
    found = _RATE.search(finished.out)
    if finished.code != 0 or found is None or "Non-2xx" in finished.out:
        raise RuntimeError(f"wrk: {finished.out} {finished.err}")
    return float(found[1])
