"""An Instagram professional account that the worker may send for."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from worker.core.kind import Bucket
from worker.core.rate_limit import Limit
from worker.core.secret import Secret

DAY_S = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What tells a person that an automation talks: `text`, or the one of `texts` for the locale.

    It is due again when nothing was sent in the conversation for `after_s`.
    """

    text: str
    texts: Mapping[str, str] = field(default_factory=dict)
    after_s: float = DAY_S


@dataclass(frozen=True, slots=True)
class Account:
    """One account as its source describes it now.

    `limits` overrides the published limits bucket by bucket; `human_agent` says that Meta has
    approved the Human Agent feature for the app that owns the token. `bulk_share` is the most of
    each limit that requests of the bulk lane may take, above 0 and up to 1.
    `graph_version` overrides the configured one; `expires_at` (unix seconds) is the token's.
    `check_media` has the files of a request looked at before the API is called, and `disclosure`
    has automated messages preceded by a text that says so.
    """

    id: str
    token: Secret
    human_agent: bool = False
    limits: Mapping[Bucket, Limit] = field(default_factory=dict)
    bulk_share: float = 1.0
    graph_version: str | None = None
    expires_at: float | None = None
    check_media: bool = False
    disclosure: Disclosure | None = None
