"""GET /refresh_access_token: a long-lived token for a new one. Meta documents it without version.

The one endpoint that takes the token in the query, because Meta documents nothing else.
"""

import secrets
import time
from dataclasses import replace

from aiohttp import web

from worker.sandbox.account_files import SandboxAccount
from worker.sandbox.answers import Answer, json_answer, refused
from worker.sandbox.credentials import holder_by_token
from worker.sandbox.refusal import GraphRefusal
from worker.sandbox.replying import reply
from worker.sandbox.state import SandboxState

# 60 days, less the seconds that the API was seen to leave out.
LIFE_S = 5_183_944
YOUNGEST_S = 24 * 3600.0

REFRESHES = "token_refresh"


class TokenEdge:
    """Handles refreshes."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    async def refresh(self, request: web.Request) -> web.StreamResponse:
        """Give a new token; what becomes of the old one is a setting."""
        record = await self._state.ledger.open_call(request.method, request.path)
        record.kind = REFRESHES
        try:
            account = await self._refreshable(request)
            record.account_id = account.account_id
            answer = self._renewed(account)
        except GraphRefusal as refusal:
            answer = refused(refusal, self._state.settings)
        return await reply(self._state, request, record, answer)

    async def _refreshable(self, request: web.Request) -> SandboxAccount:
        if request.query.get("grant_type") != "ig_refresh_token":
            raise GraphRefusal(100, detail="grant_type must be ig_refresh_token")
        if request.query.keys() != {"grant_type", "access_token"}:
            raise GraphRefusal(100, detail="the query must hold grant_type and access_token only")
        account = await holder_by_token(request.query["access_token"], self._state.accounts)
        if account.issued_at is not None and time.time() - account.issued_at < YOUNGEST_S:
            raise GraphRefusal(100, detail="the token must be at least 24 hours old")
        return account

    def _renewed(self, account: SandboxAccount) -> Answer:
        now = time.time()
        token = f"IGAA{secrets.token_urlsafe(96)}"
        renewed = replace(account, token=token, issued_at=now, expires_at=now + LIFE_S)
        self._state.accounts.put(renewed, keeps_old=self._state.settings.refreshed_token_stays)
        return json_answer({"access_token": token, "token_type": "bearer", "expires_in": LIFE_S})
