"""What can be wrong with a Redis, in sentences that say where to look; no password in any."""

import re

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,
    InvalidResponse,
    MasterDownError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    TryAgainError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError


class StoreUnavailable(Exception):
    """Redis gave no usable answer; the call may have taken effect. The text says what to do."""


# What ends an exchange, as opposed to an answer that is an error.
CONNECTION_ERRORS = (
    ConnectionError,
    RedisTimeoutError,
    InvalidResponse,
    StoreUnavailable,
    OSError,
    EOFError,
    TimeoutError,
)

_ADVICE = {
    "BUSY": "a script runs for too long there; look at SLOWLOG GET",
    "CLUSTERDOWN": "the cluster is down; look at CLUSTER INFO",
    "LOADING": "it is still loading its data; wait, or look at its log",
    "MASTERDOWN": "it is a replica that has lost its primary; look at INFO replication",
    "MISCONF": "it cannot write to its disk; look at its log and the free space",
    "NOAUTH": "it refuses the user name or password; look at IGSEND_GATE_URL",
    "NOPERM": "its user may not do what is needed; look at ACL LOG",
    "NOREPLICAS": "too few replicas follow it; look at min-replicas-to-write and INFO replication",
    "NOSCRIPT": "it forgets its scripts at once; look for whoever calls SCRIPT FLUSH",
    "OOM": "it is out of memory; raise maxmemory or lower IGSEND_REMEMBER_S",
    "READONLY": "it is a read-only replica; let IGSEND_GATE_URL name the primary",
    "TRYAGAIN": "keys are being moved between its nodes; it passes",
    "UNKILLABLE": "a script that has written runs for too long there; look at SLOWLOG GET",
    "WRONGPASS": "it refuses the user name or password; look at IGSEND_GATE_URL",
}
_CODES: dict[type[BaseException], str] = {
    AuthenticationError: "NOAUTH",
    BusyLoadingError: "LOADING",
    ClusterDownError: "CLUSTERDOWN",
    MasterDownError: "MASTERDOWN",
    NoPermissionError: "NOPERM",
    NoScriptError: "NOSCRIPT",
    OutOfMemoryError: "OOM",
    ReadOnlyError: "READONLY",
    TryAgainError: "TRYAGAIN",
}
# Up to Redis 6.2 the error of a command inside a script is wrapped:
# "ERR Error running script (call to f_…): @user_script:1: @user_script: 1: -OOM command not …".
_CODE = re.compile(rf"(?:^|: -)({'|'.join(_ADVICE)})\b")
# What Redis 7.2, and before it 6.2 and 7.0, answer then; neither has a code of its own.
_DENIED_IN_SCRIPT = re.compile("ACL failure in script|The user executing the script can't")


def unavailability(error: BaseException) -> str | None:
    """Say why this answer is for want of a working Redis; None when the script is to blame."""
    code = _CODES.get(type(error))
    if code is None:
        text = str(error)
        found = _CODE.search(text)
        code = found[1] if found else "NOPERM" if _DENIED_IN_SCRIPT.search(text) else None
    return None if code is None else _ADVICE[code]


def describe(error: BaseException, *, timeout_s: float) -> str:
    """Say what ended an exchange, or kept one from beginning."""
    if isinstance(error, StoreUnavailable):
        return str(error)
    if isinstance(error, TimeoutError | RedisTimeoutError):
        return f"it gave no answer within {timeout_s:g} s; look at its load and the network"
    known = unavailability(error)
    if known is not None:
        return known
    name = type(error).__name__
    return f"{name}: {error}" if isinstance(error, RedisError | OSError) and str(error) else name
