"""What the store makes of errors and addresses, without a Redis."""

import pytest
from redis.exceptions import NoScriptError, OutOfMemoryError, ResponseError

from worker.gate.redis.address import Address
from worker.gate.redis.failure import StoreUnavailable, describe, unavailability
from worker.gate.redis.pauses import LONGEST_S, Pauses
from worker.gate.redis.script import Script

# What Redis 6.2 wraps around the error of a command inside a script.
WRAPPED = "Error running script (call to f_0123): @user_script:1: @user_script: 1: -"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), "out of memory"),
        (ResponseError(f"{WRAPPED}OOM command not allowed when used memory"), "out of memory"),
        (ResponseError(f"{WRAPPED}READONLY You can't write against a read only"), "replica"),
        (ResponseError(f"{WRAPPED}MISCONF Redis is configured to save RDB snapshots"), "its disk"),
        (ResponseError("MISCONF Redis is configured to save RDB snapshots"), "its disk"),
        (ResponseError("BUSY Redis is busy running a script."), "too long"),
        (ResponseError("ACL failure in script: User default has no permissions"), "may not do"),
        (ResponseError("The user executing the script can't run this command"), "may not do"),
        (NoScriptError("No matching script. Please use EVAL."), "forgets its scripts"),
    ],
)
def test_a_redis_that_cannot_is_told_from_a_script_that_is_wrong(
    error: Exception, said: str
) -> None:
    assert said in (unavailability(error) or "")


@pytest.mark.parametrize(
    "text",
    [
        "user_script:1: attempt to index a nil value script: 0123, on @user_script:1.",
        "WRONGTYPE Operation against a key holding the wrong kind of value",
        "the word OOM or READONLY in a text of one's own",
        "BUSYKEY Target key name already exists.",
    ],
)
def test_a_wrong_script_is_no_unavailability(text: str) -> None:
    assert unavailability(ResponseError(text)) is None


def test_what_ended_an_exchange_is_described() -> None:
    assert describe(TimeoutError(), timeout_s=2.0).startswith("it gave no answer within 2 s")
    assert describe(StoreUnavailable("as it is"), timeout_s=2.0) == "as it is"
    assert describe(EOFError(), timeout_s=2.0) == "EOFError"


def test_pauses_grow_to_two_seconds_and_start_over() -> None:
    pauses = Pauses()
    first, *_ = taken = [pauses.next_s() for _ in range(10)]
    assert 0.05 <= first <= 0.1
    assert all(0.5 * LONGEST_S <= pause <= LONGEST_S for pause in taken[-5:])
    assert len(set(taken)) == len(taken)
    pauses.reset()
    assert pauses.next_s() <= 0.1


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:geheim@example:7000/3", "example:7000"),
        ("rediss://:geheim@example", "example:6379"),
        ("unix://user:geheim@/run/redis.sock?db=1", "/run/redis.sock"),
    ],
)
def test_an_address_shows_where_and_not_who(url: str, shown: str) -> None:
    address = Address.of(url, timeout_s=2.0)
    assert address.shown == shown
    assert "geheim" not in repr(address)


@pytest.mark.parametrize("url", ["redis://:ge/heim@example:7000", "http://:geheim@example"])
def test_an_address_that_cannot_be_read_is_not_quoted(url: str) -> None:
    with pytest.raises(ValueError, match="cannot be read") as failure:
        Address.of(url, timeout_s=2.0)
    assert "heim" not in str(failure.value)
    assert failure.value.__suppress_context__


def test_a_script_is_known_by_its_text() -> None:
    assert Script("one", "return 1").sha == "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
    assert "return" not in repr(Script("one", "return 1"))
