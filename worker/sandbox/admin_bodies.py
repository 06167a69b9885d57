"""The JSON bodies of `/_sandbox/`, read strictly: a wrong one gets a 400 with what and where."""

from datetime import datetime
from typing import Annotated, Any, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from worker.sandbox.admin_answers import bad_request
from worker.sandbox.faults import Digits

ModelT = TypeVar("ModelT", bound=BaseModel)


def _moment(value: Any) -> Any:
    """Read RFC 3339 with an offset, or unix seconds."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("must be RFC 3339 such as 2026-11-22T10:15:00Z") from None
        if moment.tzinfo is None:
            raise ValueError("must have an offset such as Z")
        return moment.timestamp()
    if isinstance(value, int | float) and not isinstance(value, bool) and not 0 <= value < 1e11:
        raise ValueError("must be unix seconds")
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


Moment = Annotated[float, BeforeValidator(_moment)]
ObjectId = Annotated[str, Field(pattern=r"^[0-9]{1,32}(_[0-9]{1,32})?$")]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class AccountBody(_Body):
    """PUT /_sandbox/accounts/{id}."""

    token: Annotated[str, Field(pattern=r"^[!-~]+$", repr=False)]
    human_agent: bool = False
    issued_at: Moment | None = None
    expires_at: Moment | None = None


class InboundBody(_Body):
    """POST /_sandbox/inbound: a person wrote."""

    account_id: Digits
    user_id: Digits
    at: Moment | None = None
    text: str | None = None


class CommentBody(_Body):
    """POST /_sandbox/comments. `live_until` ends a Live comment's broadcast."""

    account_id: Digits
    comment_id: Digits
    user_id: Digits
    at: Moment | None = None
    live: bool = False
    live_until: Moment | None = None


class PostBody(_Body):
    """POST /_sandbox/posts."""

    account_id: Digits
    post_id: ObjectId


async def read_json(request: web.Request) -> dict[str, Any]:
    """Read a JSON object; raises the 400 that says it is none."""
    try:
        given = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise bad_request("the body must be a JSON object")
    return given


def as_model(model: type[ModelT], given: dict[str, Any]) -> ModelT:
    """Check against a model; raises the 400 that lists everything wrong."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
        raise bad_request("; ".join(map(_sentence, problems))) from None


def _sentence(problem: Any) -> str:
    where = ".".join(str(step) for step in problem["loc"])
    what = problem["msg"].removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
