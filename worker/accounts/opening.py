"""Gives the source of accounts that IGSEND_ACCOUNTS names."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from worker.accounts.http_service import HttpService
from worker.accounts.on_demand import OnDemandAccounts
from worker.accounts.source import AccountSource
from worker.config import Config

if TYPE_CHECKING:
    from worker.accounts.redis_keys import RedisKeys


def accounts_of(
    config: Config, *, environment: Mapping[str, str]
) -> AccountSource | OnDemandAccounts | None:
    """Open no connection yet; None when no source is configured."""
    if config.accounts is None:
        return None
    place = config.accounts.get_secret_value()
    if place.startswith(("https://", "http://")):
        return OnDemandAccounts(
            HttpService(
                place, timeout_s=config.accounts_timeout_s, token_file=config.accounts_token_file
            )
        )
    keys = redis_keys_of(config)
    if keys is not None:
        return OnDemandAccounts(keys)
    return AccountSource(Path(place), environment=environment)


def redis_keys_of(config: Config) -> "RedisKeys | None":
    """Give the keys in Redis, if that is where the accounts are."""
    place = "" if config.accounts is None else config.accounts.get_secret_value()
    if not place.startswith(("redis://", "rediss://", "unix://")):
        return None
    # What Redis takes is imported only for Redis.
    module = import_module("worker.accounts.redis_keys")
    keys: RedisKeys = module.RedisKeys(
        place, prefix=config.prefix, timeout_s=config.accounts_timeout_s
    )
    return keys
