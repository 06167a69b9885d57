"""A Lua script and its name in Redis. Its state is Redis's: time is asked there too.

A script that calls TIME and then writes needs effects replication: what Redis 7 always does and
5 to 6.2 do unless somebody set `lua-replicate-commands no`.
"""

from dataclasses import dataclass, field
from hashlib import sha1


@dataclass(frozen=True, slots=True)
class Script:
    """`name` is for people; Redis knows the script by `sha`.

    One that `takes_many` gets the keys and arguments of several calls, one call's after the other,
    and returns a list with a reply to each. Its calls have the same number of both.
    """

    name: str
    text: str = field(repr=False)
    takes_many: bool = False
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha", digest)
