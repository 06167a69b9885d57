"""The settings of one account, the same in every source: what an entry may say, and what it means.

A further setting is one line in `Settings` and one in `account_of`.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StrictBool,
    ValidationError,
)

from worker.accounts.reading import AccountsError, place_in, shown, token_from
from worker.core.account import DAY_S, Account, Disclosure
from worker.core.kind import Bucket
from worker.core.rate_limit import Limit, parse_limit
from worker.core.secret import Secret
from worker.core.splitting import LONGEST_TEXT_BYTES

# As in values.json: what BCP 47 allows in its usual forms.
LOCALE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8}){0,3}")
GRAPH_VERSION = re.compile(r"v\d{1,3}\.\d{1,2}", re.ASCII)
YEAR_S = 365 * DAY_S
# What pydantic says in terms of Python.
_PLAIN = {
    "bool_type": "must be true or false",
    "dict_type": "must be a table",
    "missing": "is missing",
    "model_type": "must be a table",
    "string_type": "must be text",
}


class Strict(BaseModel):
    """Refuses unknown keys, and shows no value in its errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _limit(value: object) -> Limit:
    if not isinstance(value, str):
        raise ValueError("must be text like 100/s")
    return parse_limit(value)


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ValueError("must be a number above 0 and at most 1, like 0.5 for half")
    return float(value)


def _moment(value: object) -> float:
    # TOML has moments of its own; JSON has text.
    moment = value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise ValueError("must be a moment with its offset, like 2027-01-31T12:00:00Z")
    return moment.timestamp()


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= YEAR_S:
        raise ValueError("must be a number of seconds from 1 to 31536000, like 86400 for a day")
    return float(value)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be text")
    size = len(value.encode("utf-8", "surrogatepass"))
    if size > LONGEST_TEXT_BYTES:
        raise ValueError(f"is {size} bytes in UTF-8; Instagram takes at most {LONGEST_TEXT_BYTES}")
    return value


def _locale(value: str) -> str:
    if LOCALE.fullmatch(value) is None:
        raise ValueError("must be a language tag such as de or pt-BR (BCP 47)")
    return value


def _version(value: object) -> object:
    if value is not None and (not isinstance(value, str) or GRAPH_VERSION.fullmatch(value) is None):
        raise ValueError('must be a version of the API, like "v23.0"')
    return value


_Text = Annotated[str, BeforeValidator(_text)]
_Limits = dict[Bucket, Annotated[Limit, BeforeValidator(_limit)]]


class _Disclosure(Strict):
    """The table `disclosure`."""

    text: _Text
    texts: dict[Annotated[str, AfterValidator(_locale)], _Text] = Field(default_factory=dict)
    after_s: Annotated[float, BeforeValidator(_seconds)] = DAY_S


def _disclosure(value: object) -> object:
    if value is False:
        return None
    if isinstance(value, dict):
        return value
    raise ValueError("must be a table with the key text, or false for none")


def _core(table: _Disclosure | None) -> Disclosure | None:
    # Once for all accounts that take it from the defaults.
    return None if table is None else Disclosure(table.text, table.texts, table.after_s)


class Settings(Strict):
    """What may also stand in the defaults of a source."""

    human_agent: StrictBool = False
    limits: _Limits = Field(default_factory=dict)
    bulk_share: Annotated[float, BeforeValidator(_share)] = 1.0
    check_media: StrictBool = False
    disclosure: Annotated[
        _Disclosure | None, BeforeValidator(_disclosure), AfterValidator(_core)
    ] = None
    # As IGSEND_GRAPH_VERSION, which it overrides for the account.
    graph_version: Annotated[str | None, BeforeValidator(_version)] = None


class Entry(Settings):
    """One account. Exactly one of the three says where its token is."""

    token: SecretStr | None = None
    token_file: Path | None = None
    token_env: str | None = None
    expires_at: Annotated[float, BeforeValidator(_moment)] | None = None


NO_DEFAULTS = Settings()

_Model = TypeVar("_Model", bound=BaseModel)


def entry_from(fields: object, *, where: str) -> Entry:
    """Read an entry; raises AccountsError, which says what is wrong but no value."""
    return _validated(Entry, fields, where)


def settings_from(fields: object, *, where: str) -> Settings:
    """Read the defaults of a source; raises AccountsError."""
    return _validated(Settings, fields, where)


def account_of(account_id: str, entry: Entry, token: Secret, defaults: Settings) -> Account:
    """Put together what an entry says and what it leaves to the defaults."""
    given = entry.model_fields_set

    def own(name: str) -> Any:
        return getattr(entry if name in given else defaults, name)

    return Account(
        account_id,
        token,
        human_agent=own("human_agent"),
        # Most accounts have none of their own: one object then serves them all.
        limits={**defaults.limits, **entry.limits} if entry.limits else defaults.limits,
        bulk_share=own("bulk_share"),
        check_media=own("check_media"),
        disclosure=own("disclosure"),
        graph_version=own("graph_version"),
        expires_at=entry.expires_at,
    )


def account_from_json(
    account_id: str, data: bytes, *, where: str, defaults: Settings = NO_DEFAULTS
) -> Account:
    """Read an entry that stands alone and holds its token; raises AccountsError.

    It cannot name a file or a variable: who may write one entry must not be able to have the
    worker send it something else that it can read.
    """
    try:
        fields = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise AccountsError(f"{where} is not JSON{place_in(error)}") from None
    if not isinstance(fields, dict):
        raise AccountsError(f"{where} must be a JSON object with the key token")
    for elsewhere in ("token_file", "token_env"):
        if elsewhere in fields:
            raise AccountsError(f"{where}.{elsewhere}: not in this source; give the token itself")
    entry = entry_from(fields, where=where)
    if entry.token is None:
        raise AccountsError(f"{where}: the key token is missing; it must hold the access token")
    token = token_from(entry.token.get_secret_value(), where=f"{where}.token")
    return account_of(account_id, entry, token, defaults)


def sentences(error: ValidationError, model: type[BaseModel]) -> str:
    """Say what is wrong where, without the values: one of them could be a token."""
    return "; ".join(
        _sentence(detail["loc"], detail["type"], detail["msg"], model)
        for detail in error.errors(include_input=False, include_url=False, include_context=False)
    )


def _validated(model: type[_Model], fields: object, where: str) -> _Model:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise AccountsError(f"{where}: {sentences(error, model)}") from None


def _sentence(
    location: tuple[int | str, ...], kind: str, message: str, model: type[BaseModel]
) -> str:
    steps = [str(step) for step in location if step != "[key]"]
    place = ".".join(shown(step) for step in steps)
    known: Iterable[str] = ()
    if kind == "extra_forbidden":
        known = _model_at(location[:-1], model).model_fields
    elif kind == "enum":
        # The only keys that are no fields of a model.
        known = list(Bucket)
    if known:
        near = get_close_matches(steps[-1], known, n=1, cutoff=0.0)
        return f"{place} is not a known key; did you mean {near[0]}?"
    said = _PLAIN.get(kind, message.removeprefix("Value error, "))
    return f"{place}: {said}" if place else said


def _model_at(location: tuple[int | str, ...], model: type[BaseModel]) -> type[BaseModel]:
    """Find the model of the table in which something is wrong."""
    if location and location[-1] == "disclosure":
        return _Disclosure
    return Settings if location == ("defaults",) else model
