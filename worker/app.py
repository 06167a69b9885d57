"""The only wiring: settings in, a running worker out. Stops in the reverse order of its start."""

import asyncio
import os
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

from worker.accounts.on_demand import OnDemandAccounts
from worker.accounts.opening import accounts_of
from worker.accounts.source import AccountSource
from worker.clock import SystemClock
from worker.config import Config
from worker.contract.validator import RequestValidator
from worker.core.retry import RetryPolicy
from worker.core.sendable import InHand
from worker.gate.inspecting import Documents
from worker.gate.opening import gate_of
from worker.graph.client import GraphClient
from worker.graph.conversations import Conversations
from worker.media.allowed import Allowed
from worker.media.files import WebFiles
from worker.pipeline.admit import Admitter
from worker.pipeline.check_media import MediaCheck
from worker.pipeline.consume import Consumer
from worker.pipeline.drain import Drain
from worker.pipeline.permits import Permits
from worker.pipeline.process import Process, Steps
from worker.pipeline.read import Reader
from worker.pipeline.second_chance import SecondChance
from worker.pipeline.send import Sender
from worker.pipeline.settle import Settler
from worker.pipeline.verify import Verifier
from worker.ports import Clock, Observer
from worker.rabbit.depths import Depths
from worker.rabbit.diversion import Diversion
from worker.rabbit.intake import Intake, RabbitReceipts
from worker.rabbit.link import Link
from worker.rabbit.mover import Mover
from worker.rabbit.names import Names
from worker.rabbit.prepare import Preparation
from worker.rabbit.publisher import RabbitPublisher
from worker.rabbit.wire.connection import Wire
from worker.telemetry.backlog import SendableBacklog
from worker.telemetry.health import running_health_server
from worker.telemetry.metrics import Gauges
from worker.telemetry.observers import Observers
from worker.telemetry.reporting import Reporting
from worker.telemetry.tracing.opening import TracingError, tracing_of

if TYPE_CHECKING:
    from worker.telemetry.tracing.spans import Tracing

# So many diverted accounts /status names; igsend_diverted_accounts counts all.
MOST_SHOWN = 100


class StartError(Exception):
    """The worker cannot start as configured; the text says why and what to do."""


class Worker:
    """One worker process, from its settings."""

    def __init__(self, config: Config, environment: Mapping[str, str]) -> None:
        clock = SystemClock()
        self._config = config
        self._names = Names(config.prefix, config.partitions)
        self._reporting = Reporting(config, _tracing_of(environment))
        self._accounts = _accounts_of(config, environment)
        self._graph = GraphClient(config)
        self._media = WebFiles(Allowed(config.media_allow))
        self._open_gate = gate_of(config, clock, observer=self._reporting.metrics)
        self._gate = self._open_gate.whole
        self._inspection = self._inspection_of()
        self._publisher = RabbitPublisher(
            self._names,
            clock,
            outcomes=config.outcomes,
            observer=self._reporting,
            trace_headers=self._reporting.trace_headers,
        )
        self._diversion = (
            Diversion(self._names, clock, observer=self._reporting) if config.divert else None
        )
        receipts, drain = RabbitReceipts(), Drain()
        self._backlog = SendableBacklog(self._in_hand, clock)
        self._depths = Depths(self._names.intake, self._backlog.looked)
        self._process = Process(
            self._steps(config, clock, receipts, drain),
            Permits(config.concurrency),
            now=clock.now,
            on_mishap=self._reporting.mishap,
        )
        self._consumer = Consumer(
            self._reporting.passing(self._process),
            receipts,
            drain,
            on_failure=self._reporting.mishap,
        )
        self._preparation = Preparation(
            self._names,
            declares=config.declare,
            may_share=config.allow_other_consumers or self._open_gate.is_shared,
        )
        self._intake = Intake(
            self._names,
            prefetch=config.prefetch,
            submit=self._reporting.receiving(self._consumer.submit),
            prepare=self._preparation,
            mover=self._mover(),
        )
        name = f"igsend/{socket.gethostname()}-{os.getpid()}"
        url = config.amqp_url.get_secret_value()
        self._consume_link = Link(url, role="consume", name=name, observer=self._reporting)
        self._publish_link = Link(url, role="publish", name=name, observer=self._reporting)
        self._refused: StartError | None = None
        self._stop = asyncio.Event()
        self._no_more = asyncio.Event()

    def _steps(self, config: Config, clock: Clock, receipts: RabbitReceipts, drain: Drain) -> Steps:
        policy = RetryPolicy(
            config.max_attempts,
            config.retry_base_s,
            config.retry_longest_s,
            config.check_after_s,
        )
        gate, conversations = self._gate, Conversations(self._graph)
        limited, step = self._open_gate.limited, self._reporting.step
        settler = Settler(gate, self._publisher, receipts, clock, self._observer())
        sender = Sender(
            self._reporting.measured(self._graph),
            limited,
            clock,
            drain,
            SecondChance(self._accounts, clock),
            policy=policy,
        )
        return Steps(
            Reader(RequestValidator(), clock),
            step("admit", Admitter(self._accounts, limited, drain, MediaCheck(self._media))),
            step("verify", Verifier(conversations, gate, gate, clock, policy=policy)),
            step("send", sender),
            step("settle", settler),
            step("settle", settler.refuse),
        )

    def _mover(self) -> Mover | None:
        if self._diversion is None:
            return None
        return Mover(
            self._names,
            self._publisher.publishing,
            self._diversion.is_diverted,
            on_moved=self._backlog.moved,
        )

    def _observer(self) -> Observer:
        others = [] if self._diversion is None else [self._diversion]
        return Observers([self._reporting, self._backlog, *others])

    def _inspection_of(self) -> Documents | None:
        """Tell of what only this process knows; a Redis is asked by the commands themselves."""
        inspector = self._open_gate.inspector
        return None if inspector is None else Documents(inspector, lambda: self._accounts.accounts)

    def stop(self) -> None:
        """Ask for a graceful stop: finish what is in hand, then return from `run`."""
        self._stop.set()

    async def run(self) -> bool:
        """Work until `stop`; True when everything in hand was settled.

        Raises StartError when the broker shows that this worker must not run.
        """
        config = self._config
        await self._accounts.load()
        async with (
            self._graph,
            self._media,
            running_health_server(
                config.http_host,
                config.http_port,
                reporting=self._reporting,
                reasons=self.reasons_not_ready,
                status=self._status,
                inspection=self._inspection,
            ) as health,
        ):
            self._reporting.started(
                config,
                port=health.port,
                accounts=self._accounts.count,
                worker=self._open_gate.worker,
            )
            try:
                is_clean = await self._serve()
            finally:
                await self._accounts.close()
                await self._reporting.close()
        self._reporting.stopped(is_clean=is_clean)
        if self._refused is not None:
            raise self._refused
        return is_clean

    async def _serve(self) -> bool:
        async with asyncio.TaskGroup() as tasks:
            background = [
                tasks.create_task(self._accounts.watch()),
                tasks.create_task(self._reporting.tokens.watch(lambda: self._accounts.accounts)),
                tasks.create_task(self._reporting.measure(self._measure)),
                tasks.create_task(self._publish_link.run(self._use_to_publish)),
                *(tasks.create_task(run()) for run in self._open_gate.running),
            ]
            heeding = tasks.create_task(self._heed_refusal())
            consuming = tasks.create_task(self._consume_link.run(self._use_to_consume))
            draining = tasks.create_task(self._stop_consuming())
            # The connections outlive the deliveries in hand, which still publish and ack.
            is_clean = await self._consumer.run(self._no_more, drain_s=self._config.drain_s)
            await draining
            for task in (consuming, heeding, *background):
                task.cancel()
        return is_clean

    async def _use_to_consume(self, wire: Wire) -> None:
        async with asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(self._depths.use(wire))
            try:
                await self._intake.use(wire)
            finally:
                looking.cancel()

    async def _use_to_publish(self, wire: Wire) -> None:
        if self._diversion is None:
            await self._publisher.use(wire)
            return
        async with asyncio.TaskGroup() as tasks:
            diverting = tasks.create_task(self._diversion.use(wire))
            try:
                await self._publisher.use(wire)
            finally:
                diverting.cancel()

    async def _stop_consuming(self) -> None:
        await self._stop.wait()
        self._reporting.stopping(in_hand=self._consumer.in_hand)
        try:
            await self._intake.stop()
        finally:
            self._no_more.set()

    async def _heed_refusal(self) -> None:
        """Stop for good when the set-up of the broker is wrong from the start."""
        why = await self._preparation.refused
        self._refused = StartError(why)
        self._stop.set()

    def reasons_not_ready(self) -> list[str]:
        """Say in sentences why the worker is not ready; an empty list means that it is."""
        if self._stop.is_set():
            return ["the worker is stopping"]
        reasons = [
            self._consume_link.trouble,
            self._publish_link.trouble,
            self._publisher.trouble,
            self._gate.trouble,
            self._accounts.trouble,
        ]
        if self._intake.registered < self._intake.expected:
            reasons.append(
                f"{self._intake.registered} of {self._intake.expected} consumers are registered"
            )
        return [reason for reason in reasons if reason is not None]

    def _status(self) -> dict[str, object]:
        return {
            "ready": not self.reasons_not_ready(),
            "in_hand": self._consumer.in_hand,
            "accounts": {
                "loaded": self._accounts.count,
                "last_error": self._accounts.last_error,
                "tokens": self._reporting.tokens.status(),
            },
            "diverted": self._diverted[:MOST_SHOWN],
            "gate": self._gate.status(),
        }

    def _in_hand(self) -> list[InHand]:
        return self._process.in_flight.all()

    @property
    def _diverted(self) -> list[str]:
        return [] if self._diversion is None else self._diversion.accounts

    def _measure(self) -> Gauges:
        # What holds an unready worker up is no lack of workers.
        backlog, oldest_s = (0.0, 0.0) if self.reasons_not_ready() else self._backlog.lately()
        return Gauges(
            consumers_expected=self._intake.expected,
            consumers_registered=self._intake.registered,
            in_hand=self._consumer.in_hand,
            accounts=self._accounts.count,
            diverted_accounts=len(self._diverted),
            closed=self._gate.closed(),
            sendable_backlog=backlog,
            oldest_sendable_age_s=oldest_s,
        )


def _accounts_of(
    config: Config, environment: Mapping[str, str]
) -> AccountSource | OnDemandAccounts:
    accounts = accounts_of(config, environment=environment)
    if accounts is None:
        raise StartError(
            "IGSEND_ACCOUNTS is not set; give a directory of token files, a .toml or .json "
            "file, or the URL of a token service or Redis"
        )
    return accounts


def _tracing_of(environment: Mapping[str, str]) -> "Tracing | None":
    try:
        return tracing_of(environment)
    except TracingError as error:
        raise StartError(str(error)) from None
