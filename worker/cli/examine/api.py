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
            "look at IGSEND_GRAPH_URL and egress",
        )
    if date is None:
        return Line(Verdict.OK, "API", f"{config.graph_url} answers")
    skew_s = abs(time() - parsedate_to_datetime(date).timestamp())
    if skew_s > LARGEST_SKEW_S:
        return Line(
            Verdict.WARN, "API", f"the clocks differ by {skew_s:.0f} s", "synchronise this clock"
        )
    return Line(Verdict.OK, "API", f"{config.graph_url} answers, clocks agree")
