"""The fake Instagram as a server: its routes, and a context that runs it on a real socket."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from worker.sandbox.account_files import SandboxAccount
from worker.sandbox.admin_routes import AdminRoutes
from worker.sandbox.call_body import LARGEST_BODY_BYTES
from worker.sandbox.conversations_edge import ConversationsEdge
from worker.sandbox.evidence_routes import EvidenceRoutes
from worker.sandbox.faults import Fault
from worker.sandbox.ledger import AcceptedMessage, Call
from worker.sandbox.messages_edge import MessagesEdge
from worker.sandbox.nodes_edge import NodesEdge
from worker.sandbox.scenarios import script_of
from worker.sandbox.state import SandboxState
from worker.sandbox.token_edge import TokenEdge
from worker.sandbox.world import World

# A handler that still hangs or waits on a script when the server stops is cancelled after this.
_SHUTDOWN_S = 0.2


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A sandbox that listens at `url`. The lists are the evidence as it stands now."""

    url: str
    state: SandboxState

    @property
    def world(self) -> World:
        return self.state.world

    @property
    def accepted(self) -> Sequence[AcceptedMessage]:
        return list(self.state.ledger.accepted)

    @property
    def calls(self) -> Sequence[Call]:
        return list(self.state.ledger.calls)

    def add_account(self, account_id: str, token: str, *, human_agent: bool = False) -> None:
        """Let an account send."""
        self.state.accounts.put(SandboxAccount(account_id, token, human_agent))

    def add_fault(self, **script: object) -> None:
        """Script a fault, as over HTTP; raises ValueError that says what is wrong with it."""
        self.state.faults.add(Fault.model_validate(script_of(script)))

    async def wait_for_accepted(
        self, count: int, *, deadline_s: float = 10.0
    ) -> Sequence[AcceptedMessage]:
        """Wait until `count` messages are kept; raises TimeoutError that says how many are."""
        return await self.state.ledger.wait_for_accepted(count, deadline_s=deadline_s)

    async def wait_for_decided(self, count: int, *, deadline_s: float = 10.0) -> Sequence[Call]:
        """Wait until `count` of the calls kept have a verdict, answered or not."""
        ledger = self.state.ledger
        await ledger.wait_until(
            lambda: sum(call.verdict != "open" for call in ledger.calls) >= count,
            deadline_s=deadline_s,
        )
        return self.calls


def create_app(state: SandboxState) -> web.Application:
    """Make the application: the Graph endpoints and the sandbox's own."""
    app = web.Application(client_max_size=LARGEST_BODY_BYTES)
    app.add_routes(AdminRoutes(state).table())
    app.add_routes(EvidenceRoutes(state).table())
    nodes, conversations = NodesEdge(state), ConversationsEdge(state)
    app.add_routes(
        [
            web.post("/{version}/{account_id}/messages", MessagesEdge(state).handle),
            web.get("/{version}/{account_id}/conversations", conversations.list_conversations),
            web.get("/me", nodes.read_account),
            web.get("/refresh_access_token", TokenEdge(state).refresh),
            web.get("/{version}/{account_id:me|[0-9]+}", nodes.read_account),
            web.get("/{version}/{node_id}", conversations.read_node),
            web.route("*", "/{tail:.*}", nodes.unknown),
        ]
    )
    return app


@asynccontextmanager
async def running_sandbox(
    state: SandboxState | None = None,
    *,
    accounts: Mapping[str, str] | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[RunningSandbox]:
    """Listen until the block ends; port 0 takes a free one. `accounts` maps ids to tokens."""
    state = state or SandboxState()
    runner = web.AppRunner(create_app(state), access_log=None, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        listening = runner.addresses[0]
        shown = f"[{listening[0]}]" if ":" in listening[0] else listening[0]
        sandbox = RunningSandbox(f"http://{shown}:{listening[1]}", state)
        for account_id, token in (accounts or {}).items():
            sandbox.add_account(account_id, token)
        yield sandbox
    finally:
        await runner.cleanup()
