"""Who is calling: the version in the path, the bearer token, the account it belongs to."""

import re
import time

from aiohttp import web

from worker.sandbox.account_files import SandboxAccount
from worker.sandbox.accounts import AccountBook
from worker.sandbox.refusal import GraphRefusal

_VERSION = re.compile(r"v[0-9]{1,3}\.[0-9]{1,2}")
_BEARER = re.compile(r"Bearer ([!-~]+)")

# Graph's own code for a path it cannot make sense of.
UNKNOWN_PATH = 2500


def version_of(request: web.Request) -> str:
    """Give the version in the path; raises GraphRefusal."""
    version = request.match_info["version"]
    if not _VERSION.fullmatch(version):
        raise GraphRefusal(UNKNOWN_PATH, detail="the path must begin with a version such as v23.0")
    return version


async def caller_of(request: web.Request, accounts: AccountBook) -> SandboxAccount:
    """Find the account of the token, which the path must name.

    A path that names another account is answered as Graph answers for objects the caller may
    not see: 100/33, as if the account did not exist.
    """
    account = await holder_of(request, accounts)
    if request.match_info["account_id"] not in ("me", account.account_id):
        raise GraphRefusal(100, 33, detail="the token belongs to another account")
    return account


async def holder_of(request: web.Request, accounts: AccountBook) -> SandboxAccount:
    """Find the account of the token, which only the Authorization header may carry."""
    given = request.headers.getall("Authorization", [])
    bearer = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
    if bearer is None:
        raise GraphRefusal(190, detail="one header Authorization: Bearer TOKEN is needed")
    return await holder_by_token(bearer[1], accounts)


async def holder_by_token(token: str, accounts: AccountBook) -> SandboxAccount:
    """Find the account of the token; raises GraphRefusal when there is none, or it has expired."""
    account = await accounts.find(token)
    if account is None:
        raise GraphRefusal(190, detail="the token is not valid or no longer valid")
    if account.expires_at is not None and time.time() >= account.expires_at:
        raise GraphRefusal(190, 463, detail="the token has expired")
    return account
