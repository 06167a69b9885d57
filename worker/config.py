"""All settings, from environment variables named IGSEND_*, read once and frozen.

The only reader of the environment. Every wrong or unknown setting is reported, all together.
"""

import difflib
import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from yarl import URL

from worker.core.rate_limit import parse_limit

PREFIX = "IGSEND_"
# These point the project's own tests at running brokers; no command reads them.
_TEST_PREFIX = "IGSEND_TEST_"

# From the user name to the last @, so that a password with an @ in it is hidden too.
_PASSWORD = re.compile(r"(://[^:/@]*:).*@")


class ConfigError(Exception):
    """The environment is not usable; the text names every wrong setting, one a line."""


def _amqp_url(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("amqp://", "amqps://")):
        raise ValueError("must start with amqp:// or amqps://")
    _check_readable(value)
    return value


def _check_readable(url: SecretStr) -> None:
    """Raise ValueError, without the password that an unreadable URL may hold."""
    if not _has_host(url.get_secret_value()):
        raise ValueError(
            "is no URL with a host and a port number; in names and passwords write / as %2F, "
            ": as %3A, @ as %40"
        )


def _has_host(url: str) -> bool:
    """Whether it names a host that can be looked up: a..b raises UnicodeError only when it is."""
    try:
        return bool((URL(url).host or "").encode("idna"))
    except ValueError:
        return False


# redis-py takes many more from the URL; these say where Redis is and whom to trust.
_REDIS_OPTIONS = {
    "db",
    "ssl_ca_certs",
    "ssl_cert_reqs",
    "ssl_certfile",
    "ssl_check_hostname",
    "ssl_keyfile",
}
# Where the account's id goes in the URL of a token service.
ACCOUNT_PLACE = "{account_id}"
_DATABASE = re.compile(r"/?|/\d{1,5}")


def _limit(value: str | None) -> str | None:
    if value is not None:
        parse_limit(value)
    return value


def _gate_url(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if text == "memory://":
        return value
    if not text.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must be memory://, or a Redis: redis://, rediss:// or unix://")
    if text.startswith("unix://"):
        url = _read(text)
        if len(url.path) < 2:
            raise ValueError("must name the whole path of the socket: unix:///run/redis.sock")
    else:
        _check_readable(value)
        url = _read(text)
        if not _DATABASE.fullmatch(url.path):
            raise ValueError("must end after the host, or with / and the number of a database")
    if not _DATABASE.fullmatch("/" + url.query.get("db", "")):
        raise ValueError("must give db as a number")
    if set(url.query) - _REDIS_OPTIONS:
        raise ValueError(f"may have the options {', '.join(sorted(_REDIS_OPTIONS))} only")
    return value


def _accounts(value: SecretStr | None) -> SecretStr | None:
    if value is None:
        return None
    text = value.get_secret_value()
    scheme, separator, _ = text.partition("://")
    if not separator:
        return value
    if scheme in {"redis", "rediss", "unix"}:
        return _gate_url(value)
    if scheme not in {"https", "http"}:
        raise ValueError(
            "must be a path, or start with https://, http://, redis://, rediss:// or unix://"
        )
    if text.count(ACCOUNT_PLACE) != 1 or ACCOUNT_PLACE in text.split("/")[2]:
        raise ValueError(
            f"must have {ACCOUNT_PLACE} once in its path: https://host/path/{ACCOUNT_PLACE}"
        )
    whole = SecretStr(text.replace(ACCOUNT_PLACE, "0"))
    _check_readable(whole)
    url = _read(whole.get_secret_value())
    if url.user and url.password is None:
        raise ValueError("must give user:password@ for basic, or :token@ for bearer credentials")
    if url.fragment:
        raise ValueError("must have no fragment (#)")
    return value


def _read(text: str) -> URL:
    try:
        return URL(text)
    except ValueError:
        # Its text may quote a part of the password.
        raise ValueError("is no URL; in names and passwords write / as %2F, : as %3A") from None


def _http_url(value: str) -> str:
    if not value.startswith(("https://", "http://")):
        raise ValueError("must start with https:// (or http:// for a sandbox)")
    if not _has_host(value):
        raise ValueError("is no URL with a host, and a port number if any")
    return value.rstrip("/")


def _hosts_and_networks(value: str) -> str:
    for word in value.split(","):
        if "/" in word:
            try:
                ip_network(word.strip(), strict=False)
            except ValueError:
                raise ValueError(f"{word.strip()} is no network like 10.1.0.0/16") from None
    return value


# The settings with passwords in them; Kubernetes mounts secrets as files.
_FROM_FILES = ("amqp_url", "gate_url", "accounts")


def _take_from_file(name: str, values: dict[str, str]) -> list[str]:
    """Put what the file holds into `values`; give what is wrong with it."""
    setting, place = variable(f"{name}_file"), values[f"{name}_file"]
    if name in values:
        return [f"{setting}: {variable(name)} is set too; leave one of them out"]
    try:
        content = Path(place).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        return [f"{setting}: cannot read {place}: {why}"]
    if not content:
        return [f"{setting}: {place} is empty; it must hold {variable(name)}"]
    values[name] = content
    return []


class Config(BaseModel):
    """One field per setting; `IGSEND_` and the field's name in capitals is its variable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amqp_url: Annotated[SecretStr, AfterValidator(_amqp_url)] = Field(
        SecretStr("amqp://guest:guest@localhost:5672/"),
        description="the broker, as amqp[s]://user:password@host:port/vhost",
    )
    amqp_url_file: Path | None = Field(
        None, description="file that holds IGSEND_AMQP_URL, as a mounted secret does"
    )
    gate_url: Annotated[SecretStr, AfterValidator(_gate_url)] = Field(
        SecretStr("memory://"),
        description="limits and the ledger: memory://, redis[s]://user:password@host:port/db or unix://",
    )
    gate_url_file: Path | None = Field(None, description="file that holds IGSEND_GATE_URL")
    graph_url: Annotated[str, AfterValidator(_http_url)] = Field(
        "https://graph.instagram.com", description="the API, or a sandbox"
    )
    graph_version: str = Field(
        "v23.0", pattern=r"^v\d{1,3}\.\d{1,2}$", description="the API version in every path"
    )
    accounts: Annotated[SecretStr | None, AfterValidator(_accounts)] = Field(
        None,
        description="directory of token files, .toml or .json file, "
        "https://host/path/{account_id} or redis://host",
    )
    accounts_file: Path | None = Field(
        None, description="file that holds IGSEND_ACCOUNTS, for a URL with a password"
    )
    accounts_token_file: Path | None = Field(
        None, description="file with the bearer token for an https:// IGSEND_ACCOUNTS"
    )
    accounts_timeout_s: float = Field(
        2.0, gt=0, le=10, description="an answer of the source of accounts, seconds"
    )
    prefix: str = Field(
        "ig",
        pattern=r"^[A-Za-z0-9_-]{1,40}(\.[A-Za-z0-9_-]{1,40}){0,3}$",
        description="first word of every exchange and queue",
    )
    partitions: int = Field(8, ge=1, le=64, description="intake queues of the interactive lane")
    allow_other_consumers: bool = Field(
        default=False,
        description="with memory://, start although another worker consumes the same queues",
    )
    declare: bool = Field(
        default=True, description="declare the topology at start; false checks it passively"
    )
    divert: bool = Field(
        default=True, description="divert an account that floods ig.requests into the bulk lane"
    )
    prefetch: int = Field(
        64,
        ge=1,
        le=2000,
        description="unsettled deliveries per intake queue",
    )
    concurrency: int = Field(200, ge=1, le=5000, description="calls to the API at the same time")
    max_attempts: int = Field(8, ge=1, le=100, description="attempts before exhausted")
    retry_base_s: float = Field(
        2.0, gt=0, le=900, description="ceiling of the first retry's wait, seconds; triples"
    )
    retry_longest_s: float = Field(
        900.0, ge=1, le=86400, description="longest wait between attempts, seconds"
    )
    check_after_s: float = Field(
        8.0,
        ge=0.1,
        le=60,
        description="first look whether a call without a result went, seconds; then twice that",
    )
    app_limit: Annotated[str | None, AfterValidator(_limit)] = Field(
        None, description="most calls of the whole app over all accounts, like 200/s; none if unset"
    )
    rate_margin: float = Field(
        0.03, ge=0, lt=0.9, description="how far below the published limits to stay, 0.03 = 3 %"
    )
    remember_s: float = Field(
        48 * 3600.0, ge=60, description="how long ids are remembered, seconds"
    )
    remember_max: int = Field(
        50_000, ge=100, description="most ids the memory gate remembers; the oldest go first"
    )
    connect_timeout_s: float = Field(5.0, gt=0, description="connecting to the API, seconds")
    text_timeout_s: float = Field(30.0, gt=0, description="an answer to text, seconds")
    media_timeout_s: float = Field(100.0, gt=0, description="an answer to media, seconds")
    media_allow: Annotated[str, AfterValidator(_hosts_and_networks)] = Field(
        "",
        description="hosts and networks check_media may ask though not public, like 10.1.0.0/16",
    )
    drain_s: float = Field(
        20.0, ge=0, le=600, description="what is in flight at SIGTERM may take this long, seconds"
    )
    outcomes: Literal["all", "failures", "none"] = Field(
        "all", description="which outcome events are published"
    )
    http_host: str = Field("0.0.0.0", description="address of /livez, /readyz, /metrics, /status")
    http_port: int = Field(8080, ge=0, le=65535, description="its port; 0 takes a free one")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severe log line written"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: console on a terminal, else json"
    )

    @model_validator(mode="after")
    def _waits_are_in_order(self) -> Self:
        if self.retry_base_s > self.retry_longest_s:
            raise ValueError("IGSEND_RETRY_BASE_S must not exceed IGSEND_RETRY_LONGEST_S")
        return self

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings; raises ConfigError that lists everything wrong at once."""
        given = {
            name: value
            for name, value in environment.items()
            if name.startswith(PREFIX) and not name.startswith(_TEST_PREFIX)
        }
        problems = [_unknown(name) for name in given if _field(name) not in cls.model_fields]
        values = {
            _field(name): value
            for name, value in given.items()
            if _field(name) in cls.model_fields and value != ""
        }
        for name in _FROM_FILES:
            if f"{name}_file" in values:
                problems += _take_from_file(name, values)
        try:
            config = cls.model_validate(values)
        except ValidationError as error:
            problems += [
                _sentence(detail["loc"], detail["msg"])
                for detail in error.errors(include_input=False, include_url=False)
            ]
        if problems:
            raise ConfigError("\n".join(problems))
        return config

    def shown(self) -> dict[str, str]:
        """Give every setting as text, variable name first, passwords hidden."""
        return {variable(name): _shown(getattr(self, name)) for name in type(self).model_fields}


def variable(field: str) -> str:
    """Name the environment variable of a field."""
    return PREFIX + field.upper()


def _shown(value: object) -> str:
    if isinstance(value, SecretStr):
        return _PASSWORD.sub(r"\1********@", value.get_secret_value())
    return "" if value is None else str(value)


def _field(name: str) -> str:
    return name.removeprefix(PREFIX).lower()


def _unknown(name: str) -> str:
    known = [variable(field) for field in Config.model_fields]
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return f"{name} is not a setting; did you mean {near[0]}?"


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    return f"{variable(str(location[0]))}: {text}" if location else text
