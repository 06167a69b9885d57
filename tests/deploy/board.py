"""Has Prometheus watch a minute of work, asks it all queries of the dashboard, draws the answers.

`python -m tests.deploy.board` writes docs/dashboard.png. It needs what scripts/deploy-tools and
scripts/bench-setup fetch. Grafana is not there: matplotlib draws what its panels would.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

from tests.deploy.tools import CHART, ROOT
from tests.replicas.fleet import Fleet
from tests.replicas.loader import Letter, a_loader
from tests.replicas.site import Ground, Plan, Site, a_site
from tests.replicas.windows import Allowed
from tests.replicas.work import account_ids, body, flood
from tests.support.nodes import installation
from tests.support.pacing import beats, until
from tests.support.waiting import eventually
from worker.local.child import Child
from worker.local.ports import free_ports
from worker.local.rabbitmq import private_rabbitmq

NAMESPACE = "laptop"
LENGTH_S, PER_S, FLOOD = 60.0, 60.0, 600
LIMITS = {"text": Allowed(20, 1.0), "media": Allowed(5, 1.0)}
PICTURE = ROOT / "docs" / "dashboard.png"


async def record() -> list[dict[str, Any]]:
    """Give each panel with what Prometheus answered: (title, row, unit, series)."""
    plan = Plan("board", workers=2, accounts=account_ids(12), limits=LIMITS)
    with TemporaryDirectory(prefix="igsend-board-") as folder:
        async with (
            private_rabbitmq(installation=installation()) as node,
            a_site(Ground(node.amqp_url), plan) as site,
            site.fleet() as fleet,
            _prometheus(Path(folder), fleet) as url,
        ):
            start = time.time()
            await _work(site)
            await until(time.time() + 5.0)
            return await _answers(url, start, time.time())


async def _work(site: Site) -> None:
    """A minute of ordinary days: replies, files, a flood, a throttle, a token that ends."""
    accounts = site.plan.accounts
    await site.admin("POST", "faults", {"latency_s": 0.15, "times": None})
    async with a_loader(site.ground.amqp_url) as loader:
        start = time.time()
        async for beat in beats(PER_S, start=start, end=start + LENGTH_S):
            if beat == int(15 * PER_S):
                for letter in flood(site.names, accounts[0], count=FLOOD, lane="requests"):
                    loader.post(letter)
            if beat == int(30 * PER_S):
                match = {"account_id": accounts[1]}
                fault = {"match": match, "scenario": "throttled_retry_after"}
                await site.admin("POST", "faults", fault)
            if beat == int(40 * PER_S):
                other = {"token": "IGAAsomebody-logs-in-later"}
                await site.admin("PUT", f"accounts/{accounts[2]}", other)
            account_id = accounts[beat % len(accounts)]
            text = body("media" if beat % 5 == 0 else "text", account_id, f"day-{beat}", to=beat)
            wrong = b"{}" if beat % 97 == 0 else text
            loader.post(Letter(site.names.requests, account_id, wrong))
        await loader.confirmed()


@asynccontextmanager
async def _prometheus(folder: Path, fleet: Fleet) -> AsyncIterator[str]:
    """Scrape every worker each second; give the address of the API."""
    targets = [url.removeprefix("http://") for url in fleet.urls]
    scrape = {
        "job_name": "igsend",
        "static_configs": [
            {"targets": [target], "labels": {"namespace": NAMESPACE, "pod": f"worker-{number}"}}
            for number, target in enumerate(targets)
        ],
    }
    # JSON is YAML.
    configuration = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
    (folder / "prometheus.yml").write_text(json.dumps(configuration))
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    child = Child(
        "prometheus",
        [
            str(ROOT / ".venv-deploy" / "bin" / "prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        environment=dict(os.environ),
        log=folder / "prometheus.log",
    )
    child.start()
    try:
        await eventually(lambda: _is_ready(url))
        yield url
    finally:
        child.kill()


async def _is_ready(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(f"{url}/-/ready") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def _answers(url: str, start: float, end: float) -> list[dict[str, Any]]:
    board = json.loads((CHART / "files" / "dashboard.json").read_text())
    found, row = [], ""
    async with aiohttp.ClientSession() as session:
        for panel in board["panels"]:
            if panel["type"] == "row":
                row = panel["title"]
                continue
            series = [
                each
                for target in panel["targets"]
                for each in await _series(session, url, target, start, end)
            ]
            unit = panel["fieldConfig"]["defaults"]["unit"]
            found.append({"row": row, "title": panel["title"], "unit": unit, "series": series})
    return found


async def _series(
    session: aiohttp.ClientSession, url: str, target: Mapping[str, str], start: float, end: float
) -> list[dict[str, Any]]:
    query = target["expr"].replace("$__rate_interval", "5s").replace("$namespace", NAMESPACE)
    asked = {"query": query, "start": f"{start}", "end": f"{end}", "step": "1"}
    async with session.get(f"{url}/api/v1/query_range", params=asked) as answer:
        document = await answer.json()
    assert document["status"] == "success", document
    return [
        {
            "name": _name(target["legendFormat"], each["metric"]),
            "points": [[at - start, float(value)] for at, value in each["values"]],
        }
        for each in document["data"]["result"]
    ]


def _name(legend: str, labels: Mapping[str, str]) -> str:
    for label, value in labels.items():
        legend = legend.replace("{{" + label + "}}", value or "none")
    return legend


def main(arguments: Sequence[str]) -> None:
    """Record, and draw in the environment that has matplotlib."""
    parser = argparse.ArgumentParser(prog="python -m tests.deploy.board", description=__doc__)
    parser.add_argument("--picture", type=Path, default=PICTURE)
    options = parser.parse_args(arguments)
    panels = asyncio.run(record())
    drawn = subprocess.run(
        [ROOT / ".venv-bench" / "bin" / "python", ROOT / "tests" / "deploy" / "board_plot.py"],
        input=json.dumps({"panels": panels, "picture": str(options.picture)}),
        text=True,
        check=True,
    )
    assert drawn.returncode == 0
    empty = [panel["title"] for panel in panels if not panel["series"]]
    sys.stdout.write(f"{options.picture}: {len(panels)} panels, without data: {empty}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
