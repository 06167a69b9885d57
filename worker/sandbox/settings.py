"""How the sandbox behaves, changeable while it runs through `PUT /_sandbox/settings`."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Locale = Literal["en", "pt", "ja"]
UsageSpelling = Literal["observed", "documented", "none"]
OwnId = Literal["user_id", "app_scoped"]


class Settings(BaseModel):
    """One immutable set of switches; a change replaces the whole."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    strict: bool = Field(
        default=False, description="people, comments, posts and messages must be registered"
    )
    locale: Locale = Field("en", description="language of error messages")
    usage_spelling: UsageSpelling = Field(
        "observed",
        description="keys of X-App-Usage: call_volume as seen live, call_count as documented",
    )
    usage_percent: Annotated[int, Field(ge=0, le=1000)] = Field(
        0, description="the figure in X-App-Usage"
    )
    api_version: Annotated[str, Field(pattern=r"^v\d{1,3}\.\d{1,2}$")] | None = Field(
        None, description="the instagram-api-version answered; null repeats the path's"
    )
    read_delay_s: Annotated[float, Field(ge=0, le=3600, strict=False)] = Field(
        0.0, description="how long after it was taken a message shows in the Conversations API"
    )
    reads_per_s: Annotated[int, Field(ge=0)] | None = Field(
        2, description="calls to the Conversations API in any second of an account; null: any"
    )
    most_listed: Annotated[int, Field(ge=1)] | None = Field(
        None, description="a page of more messages is refused as too much data; null: never"
    )
    refreshed_token_stays: bool = Field(
        default=True, description="a token that was refreshed goes on working beside the new one"
    )
    own_id: OwnId = Field("user_id", description="which of its ids an account's messages are from")
