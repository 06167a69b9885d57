"""A TOML or JSON file of accounts with their settings (design 8)."""

import json
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StrictBool,
    ValidationError,
)

from worker.accounts.reading import (
    ACCOUNT_ID,
    AccountsError,
    Reading,
    Stamp,
    shown,
    stamp_of,
    token_from,
    token_in,
    why,
)
from worker.core.account import Account
from worker.core.kind import Bucket
from worker.core.rate_limit import Limit, parse_limit
from worker.core.secret import Secret


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _limit(value: object) -> Limit:
    if not isinstance(value, str):
        raise ValueError("must be text like 100/s")
    return parse_limit(value)


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ValueError("must be a number above 0 and at most 1, like 0.5 for half")
    return float(value)


_Limits = dict[Bucket, Annotated[Limit, BeforeValidator(_limit)]]


class _Settings(_Strict):
    human_agent: StrictBool = False
    limits: _Limits = Field(default_factory=dict)
    bulk_share: Annotated[float, BeforeValidator(_share)] = 1.0
    check_media: StrictBool = False


class _Entry(_Settings):
    token: SecretStr | None = None
    token_file: Path | None = None
    token_env: str | None = None


class _File(_Strict):
    defaults: _Settings = _Settings()
    accounts: dict[str, dict[str, Any]] = Field(default_factory=dict)


class AccountFile:
    """Reads the file, and the token files it names."""

    def __init__(self, path: Path, *, environment: Mapping[str, str]) -> None:
        self._path = path
        self._environment = environment
        self._reading: Reading | None = None
        self._stamps: dict[Path, Stamp] = {}

    def read(self) -> Reading:
        """Give every usable account; the same Reading as before when no file changed.

        Raises AccountsError when the file itself is unusable.
        """
        if self._reading is None or not self._is_unchanged():
            last = {} if self._reading is None else self._reading.accounts
            stamp, self._stamps = _stamp(self._path), {}
            self._reading = self._read_again(last)
            # Only now: a file that cannot be used is looked into again each time.
            self._stamps[self._path] = stamp
        return self._reading

    def _is_unchanged(self) -> bool:
        return self._path in self._stamps and all(
            stamp is not None and stamp == _stamp(path) for path, stamp in self._stamps.items()
        )

    def _read_again(self, last: Mapping[str, Account]) -> Reading:
        try:
            file = _File.model_validate(self._parsed())
        except ValidationError as error:
            raise AccountsError(f"{self._path}: {_sentences(error, _File)}") from None
        reading = Reading({})
        for account_id, fields in file.accounts.items():
            try:
                reading.accounts[account_id] = self._account(account_id, fields, file.defaults)
            except AccountsError as error:
                reading.problems.append(str(error))
                if account_id in last:
                    reading.accounts[account_id] = last[account_id]
        return reading

    def _parsed(self) -> object:
        try:
            data = self._path.read_bytes()
        except OSError as error:
            raise AccountsError(f"IGSEND_ACCOUNTS={self._path}: {why(error)}") from None
        try:
            text = data.decode("utf-8-sig")
            return json.loads(text) if self._path.suffix == ".json" else tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            # The parsers' messages give line and column; a value they quote could be a token.
            kind = "JSON" if self._path.suffix == ".json" else "TOML"
            raise AccountsError(f"{self._path} is not {kind} ({type(error).__name__})") from None

    def _account(self, account_id: str, fields: Mapping[str, Any], defaults: _Settings) -> Account:
        where = f"{self._path}, accounts.{shown(account_id)}"
        if ACCOUNT_ID.fullmatch(account_id) is None:
            raise AccountsError(f"{where}: the id must be the account's numeric id")
        try:
            entry = _Entry.model_validate(fields)
        except ValidationError as error:
            raise AccountsError(f"{where}: {_sentences(error, _Entry)}") from None
        given = entry.model_fields_set
        return Account(
            account_id,
            self._token(entry, where),
            human_agent=entry.human_agent if "human_agent" in given else defaults.human_agent,
            # Most accounts have none of their own: one object then serves them all.
            limits={**defaults.limits, **entry.limits} if entry.limits else defaults.limits,
            bulk_share=entry.bulk_share if "bulk_share" in given else defaults.bulk_share,
            check_media=entry.check_media if "check_media" in given else defaults.check_media,
        )

    def _token(self, entry: _Entry, where: str) -> Secret:
        sources = [entry.token, entry.token_file, entry.token_env]
        if sum(source is not None for source in sources) != 1:
            raise AccountsError(f"{where}: give exactly one of token, token_file and token_env")
        if entry.token is not None:
            return token_from(entry.token.get_secret_value(), where=f"{where}.token")
        if entry.token_env is not None:
            place = f"{where}: the environment variable {shown(entry.token_env)}"
            if entry.token_env not in self._environment:
                raise AccountsError(f"{place} is not set")
            return token_from(self._environment[entry.token_env], where=place)
        assert entry.token_file is not None, "it is the one that is left"
        path = self._path.parent / entry.token_file
        self._stamps[path] = _stamp(path)
        return token_in(path, where=f"{where}: the token file {path.parent / shown(path.name)}")


def _stamp(path: Path) -> Stamp:
    try:
        return stamp_of(path.stat())
    except (OSError, ValueError):
        return None


def _sentences(error: ValidationError, model: type[BaseModel]) -> str:
    """Say what is wrong where, without the values: one of them could be a token."""
    return "; ".join(
        _sentence(detail["loc"], detail["type"], detail["msg"], model)
        for detail in error.errors(include_input=False, include_url=False, include_context=False)
    )


def _sentence(
    location: tuple[int | str, ...], kind: str, message: str, model: type[BaseModel]
) -> str:
    place = ".".join(shown(str(step)) for step in location if step != "[key]")
    if kind == "extra_forbidden":
        known = _Settings if location[0] == "defaults" and len(location) > 1 else model
        near = get_close_matches(str(location[-1]), known.model_fields, n=1, cutoff=0.0)
        return f"{place} is not a known key; did you mean {near[0]}?"
    return f"{place}: {message.removeprefix('Value error, ')}"
