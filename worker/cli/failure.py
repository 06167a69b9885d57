"""How a command says that it failed, and how it gets its settings."""

import os

from worker.config import Config, ConfigError


class UsageFailed(Exception):
    """Called wrongly or configured wrongly: exit 2. The text is for a person."""


class CommandFailed(Exception):
    """The thing asked for failed: exit 1. The text is for a person."""


def config_from_environment() -> Config:
    """Read the settings; raises UsageFailed that lists every wrong one."""
    try:
        return Config.from_env(os.environ)
    except ConfigError as error:
        raise UsageFailed(f"settings are wrong:\n{error}") from None
