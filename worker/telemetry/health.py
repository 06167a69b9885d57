"""The HTTP endpoints for Kubernetes, Prometheus and people: /livez, /readyz, /metrics, /status.

With a gate of its own the worker also tells what is in there: /accounts, /accounts/ID, /why/ID.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import structlog
from aiohttp import web

from worker.telemetry.exception_text import stack_of
from worker.telemetry.metrics import CONTENT_TYPE
from worker.telemetry.plain_json import as_json

PATHS = ("/livez", "/readyz", "/metrics", "/status")

# A loop that did not turn for this long is stuck, not busy.
OLDEST_TICK_S = 15.0
_SHUTDOWN_S = 1.0


class CannotListen(Exception):
    """The address is taken or not allowed; the text names it and the settings that change it."""


class Vitals(Protocol):
    """What the process says of itself; `Reporting` fulfils it."""

    def exposition(self) -> bytes:
        """Give Prometheus text."""
        ...

    def tick_age_s(self) -> float:
        """Say how long ago the event loop last turned."""
        ...


class Inspection(Protocol):
    """What the gate knows, as JSON; bounded in what one call looks at."""

    async def accounts(self, *, start: int, closed: bool, busy: bool) -> Mapping[str, object]:
        """Give a page of accounts, only those closed or busy if asked."""
        ...

    async def account(self, account_id: str) -> Mapping[str, object] | None:
        """Give everything of one account; None when there is no such account."""
        ...

    async def requests(
        self, request_id: str, account_id: str | None
    ) -> Sequence[Mapping[str, object]]:
        """Give every request with this id, of one account or of all."""
        ...


@dataclass(frozen=True, slots=True)
class HealthServer:
    """A running server; `port` is the one it got when 0 was asked for."""

    host: str
    port: int


@asynccontextmanager
async def running_health_server(
    host: str,
    port: int,
    *,
    reporting: Vitals,
    reasons: Callable[[], Sequence[str]],
    status: Callable[[], Mapping[str, object]],
    inspection: Inspection | None = None,
) -> AsyncIterator[HealthServer]:
    """Serve until the block ends; raises CannotListen.

    `reasons` says in sentences why the worker is not ready, `status` is shown as it is. Both are
    called for each request, on the event loop: they must not block. Without `inspection` there
    are no endpoints for accounts and requests.
    """
    application = _application(_Handlers(reporting, reasons, status))
    if inspection is not None:
        _add_inspection(application, _Inspections(inspection))
    runner = web.AppRunner(
        application,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=_SHUTDOWN_S,
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise CannotListen(
                f"cannot serve the health endpoints on {host}:{port} ({error.strerror}); "
                "choose another IGSEND_HTTP_HOST or IGSEND_HTTP_PORT (0 takes a free port)"
            ) from error
        yield HealthServer(host, runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _application(handlers: "_Handlers") -> web.Application:
    application = web.Application(middlewares=[_always_json])
    for path in PATHS:
        application.router.add_get(path, getattr(handlers, path[1:]), allow_head=False)
    return application


def _add_inspection(application: web.Application, handlers: "_Inspections") -> None:
    add = application.router.add_get
    add("/accounts", handlers.accounts, allow_head=False)
    add("/accounts/{account_id}", handlers.account, allow_head=False)
    add("/why/{request_id}", handlers.why, allow_head=False)


class _Handlers:
    def __init__(
        self,
        reporting: Vitals,
        reasons: Callable[[], Sequence[str]],
        status: Callable[[], Mapping[str, object]],
    ) -> None:
        self._reporting = reporting
        self._reasons = reasons
        self._status = status

    async def livez(self, _: web.Request) -> web.Response:
        """200 while the loop turns.

        A stuck loop cannot answer at all: then the probe's own timeout tells. The 503 is for a
        loop that turns although the task that ticks has ended, or has just been stuck.
        """
        age_s = self._reporting.tick_age_s()
        if age_s <= OLDEST_TICK_S:
            return _json({"alive": True})
        reason = f"the event loop last turned {age_s:.1f} s ago; {OLDEST_TICK_S:g} s are too long"
        return _json({"alive": False, "reasons": [reason]}, status=503)

    async def readyz(self, _: web.Request) -> web.Response:
        reasons = list(self._reasons())
        ready = not reasons
        return _json({"ready": ready, "reasons": reasons}, status=200 if ready else 503)

    async def metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=self._reporting.exposition(), headers={"Content-Type": CONTENT_TYPE}
        )

    async def status(self, _: web.Request) -> web.Response:
        return _json(self._status())


class _Inspections:
    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection

    async def accounts(self, request: web.Request) -> web.Response:
        start = request.query.get("start", "0")
        if not (start.isascii() and start.isdigit() and len(start) < 10):
            return _json({"error": "start must be a whole number from 0"}, status=400)
        page = await self._inspection.accounts(
            start=int(start), closed="closed" in request.query, busy="busy" in request.query
        )
        return _json(page)

    async def account(self, request: web.Request) -> web.Response:
        account_id = request.match_info["account_id"]
        account = await self._inspection.account(account_id)
        if account is None:
            error = "it is not among the accounts of this worker"
            return _json({"error": error, "account_id": account_id}, status=404)
        return _json(account)

    async def why(self, request: web.Request) -> web.Response:
        account_id = request.query.get("account")
        found = await self._inspection.requests(request.match_info["request_id"], account_id)
        return _json({"requests": found})


@web.middleware
async def _always_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return _json({"error": f"there is nothing here; try {', '.join(PATHS)}"}, status=404)
    except web.HTTPMethodNotAllowed:
        response = _json({"error": "only GET is allowed"}, status=405)
        response.headers["Allow"] = "GET"
        return response
    except Exception as error:  # an answer that cannot be found out is a no, with a reason
        structlog.get_logger().error(
            "a health endpoint fails; please report this as a bug",
            path=request.path,
            exception=stack_of(error),
        )
        reason = f"this could not be found out ({type(error).__name__}); see the log"
        body = {"ready": False, "reasons": [reason]} if request.path == "/readyz" else {}
        return _json(body or {"error": reason}, status=503 if body else 500)


def _json(values: Mapping[str, object], *, status: int = 200) -> web.Response:
    return web.Response(body=as_json(values), status=status, content_type="application/json")
