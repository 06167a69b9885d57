"""A document to the list of its problems: all at once, each with a place and a plain sentence."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import orjson
from jsonschema_rs import ValidationError

from worker.contract.field_rules import broken_rules
from worker.contract.schema_files import SEND_REQUEST, compiled
from worker.contract.sentences import is_about_type, problems_of
from worker.core.problem import Problem

MOST_PROBLEMS = 20

# One more than any list of the contract may hold. A hostile request could hold a hundred
# thousand wrong items; describing each would keep the worker busy for seconds.
_ITEMS_LOOKED_AT = 14

_NO_JSON = (
    "holds what JSON in UTF-8 cannot carry: half of a surrogate pair, a whole number beyond "
    "64 bits, a name that is no text, or nesting without end"
)


class RequestValidator:
    """Checks documents against the send-request schema and the rules beyond it.

    Compiles the schemas once; raises SchemasMissing when there are none. Keeps no state, so one
    instance serves a whole process.
    """

    def __init__(self) -> None:
        self._schema = compiled(SEND_REQUEST)

    def problems(self, document: Any) -> list[Problem]:
        """Give every problem of a request, at most one per place; none when it is valid.

        After the first 20 one more says how many were left out. Never raises for a JSON value,
        nor for one that only looks like it (text cut within a surrogate pair, endless nesting).
        """
        if not _can_be_json(document):
            return [Problem("", _NO_JSON)]
        if self._schema.is_valid(document):
            return _listed(broken_rules(document))
        return _listed(self._explained(document))

    def _explained(self, document: Any) -> Iterator[Problem]:
        shortened = _shortened(document)
        errors = sorted(self._schema.iter_errors(shortened), key=_types_first)
        rules = broken_rules(shortened) if isinstance(shortened, dict) else ()
        # The sentences beyond the schema know more ("bytes in UTF-8"), so they come first.
        return chain(rules, chain.from_iterable(problems_of(error, document) for error in errors))


def _can_be_json(document: Any) -> bool:
    """True for all that `decode` gives; other callers may come with more than JSON can carry."""
    try:
        orjson.dumps(document)
    except orjson.JSONEncodeError:
        return False
    return True


def _types_first(error: ValidationError) -> bool:
    return not is_about_type(error)


def _listed(problems: Iterator[Problem]) -> list[Problem]:
    """Keep the first problem of each place, up to the limit, and count the rest."""
    by_pointer: dict[str, Problem] = {}
    omitted: set[str] = set()
    for problem in problems:
        if problem.pointer in by_pointer:
            continue
        if len(by_pointer) < MOST_PROBLEMS:
            by_pointer[problem.pointer] = problem
        else:
            omitted.add(problem.pointer)
    listed = list(by_pointer.values())
    if omitted:
        listed.append(Problem("", f"has at least {len(omitted)} more problems like these"))
    return listed


def _shortened(value: Any) -> Any:
    """Copy the document with every list cut to what can matter; metadata stays whole."""
    if isinstance(value, list):
        return [_shortened(item) for item in value[:_ITEMS_LOOKED_AT]]
    if isinstance(value, dict):
        return {
            name: child if name == "metadata" else _shortened(child)
            for name, child in value.items()
        }
    return value
