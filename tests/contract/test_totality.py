"""Nothing makes the contract raise: any bytes, any JSON, and what lies close to valid requests."""

import copy
import json
from datetime import datetime
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.contract.corpus import examples
from worker.contract.decode import decode
from worker.contract.schema_files import SEND_REQUEST, compiled, rule_at
from worker.contract.validator import MOST_PROBLEMS, RequestValidator
from worker.core.problem import Problem

# Nothing here is about speed, and the machine may be busy.
_unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
_VALIDATOR = RequestValidator()
_VALID = list(examples("valid").values())
_ALPHABET = st.characters(codec="utf-8")
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(_ALPHABET)
)
_KNOWN_NAMES = (
    "id account_id recipient message messages sender_action payload metadata text attachment "
    "attachments type url quick_replies content_type title comment_id template_type elements"
)
_NAMES = st.text(_ALPHABET, max_size=8) | st.sampled_from(_KNOWN_NAMES.split())
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES, inner, max_size=5),
    max_leaves=20,
)
_DATE_PATTERN = rule_at("urn:igsend:values:v1#/$defs/date-time/pattern")["pattern"]


def _is_pointer_into(document: Any, pointer: str) -> bool:
    """True when the pointer names a place in the document, or a field missing from one."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    for position, step in enumerate(steps):
        if isinstance(document, list):
            document = document[int(step)]
        elif step in document:
            document = document[step]
        else:
            return position == len(steps) - 1
    return True


def _check(document: Any) -> None:
    problems = _VALIDATOR.problems(document)
    assert len(problems) <= MOST_PROBLEMS + 1
    for problem in problems:
        assert problem.message
        assert _is_pointer_into(document, problem.pointer)
    if not problems:
        assert compiled(SEND_REQUEST).is_valid(document)


@_unhurried
@given(st.binary(max_size=300))
@example(b'{"a":"\\')
@example(b'"' * 1001)
@example(b'{"a":1' + b"]" * 50)
def test_any_bytes_end_in_an_object_or_in_problems(body: bytes) -> None:
    result = decode(body)
    if isinstance(result, list):
        assert result
        assert all(isinstance(problem, Problem) for problem in result)
    else:
        assert result == json.loads(body)


@_unhurried
@given(_JSON)
def test_any_json_object_survives_decoding_and_nothing_else_does(value: Any) -> None:
    result = decode(json.dumps(value, ensure_ascii=False).encode())
    if isinstance(value, dict) and isinstance(result, dict):
        assert result.keys() == value.keys()
    else:
        assert isinstance(result, list)
        assert not isinstance(value, dict)


@_unhurried
@given(st.data(), st.sampled_from(_VALID))
def test_torn_and_changed_bytes_of_a_request_end_in_an_object_or_in_problems(
    data: st.DataObject, request: Any
) -> None:
    body = json.dumps(request).encode()
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, len(body)))
    result = decode(body[:start] + data.draw(st.binary(max_size=4)) + body[end:])
    assert isinstance(result, dict) or all(isinstance(problem, Problem) for problem in result)


@_unhurried
@given(_JSON)
def test_any_json_value_gets_its_problems(document: Any) -> None:
    _check(document)


@_unhurried
@given(st.data(), st.sampled_from(_VALID))
def test_any_request_with_foreign_parts_gets_its_problems(
    data: st.DataObject, request: Any
) -> None:
    changed = copy.deepcopy(request)
    target: Any = changed
    while True:
        step = data.draw(
            st.sampled_from(sorted(target) if isinstance(target, dict) else range(len(target)))
        )
        if (
            not isinstance(target[step], dict | list)
            or not target[step]
            or data.draw(st.booleans())
        ):
            break
        target = target[step]
    target[step] = data.draw(_JSON)
    _check(changed)


@_unhurried
@given(st.from_regex(_DATE_PATTERN, fullmatch=True))
def test_every_date_that_the_schema_takes_can_be_read(value: str) -> None:
    document = {**examples("valid")["text"], "not_before": value}
    if not _VALIDATOR.problems(document):
        assert datetime.fromisoformat(value).timestamp() > 0
