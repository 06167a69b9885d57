"""The API: whether it answers, and whether the clocks agree."""

from email.utils import parsedate_to_datetime
from time import time

from worker.cli.examine.line import LARGEST_SKEW_S, Line, Verdict
from worker.config import Config
from worker.graph.reach import ReachError, date_header


async def api(config: Config) -> Line:
    try:
        date = await date_header(config.graph_url, timeout_s=config.connect_timeout_s * 2)
    except ReachError as error:
        return Line(
            Verdict.FAIL,
            "API",
            f"{config.graph_url}: {error}",
            "look at IGSEND_GRAPH_URL, name resolution and egress to port 443",
        )
    if date is None:
        return Line(Verdict.OK, "API", f"{config.graph_url} answers")
    try:
        skew_s = time() - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return Line(Verdict.OK, "API", f"{config.graph_url} answers, without a date that is one")
    if abs(skew_s) > LARGEST_SKEW_S:
        side = "ahead of" if skew_s > 0 else "behind"
        found = f"this clock is {abs(skew_s):.0f} s {side} that of {config.graph_url}"
        return Line(Verdict.WARN, "API", found, "synchronise it: windows and deadlines go by it")
    return Line(Verdict.OK, "API", f"{config.graph_url} answers, clocks agree")
