"""Which version of the request contract a message is in, as its AMQP property `type` says."""

import re

from worker.core.problem import Problem

REQUEST_SCHEMA = "igsend.request.v1"
_FAMILY = "igsend.request."
_VERSION = re.compile(r"v[0-9]{1,9}")


def problem_of_version(type_: str | None) -> Problem | None:
    """Say what is wrong when the property names a version that this worker does not know.

    Without the property, or with one of the producer's own making, it is the first version.
    """
    if type_ is None or type_ == REQUEST_SCHEMA:
        return None
    name = type_.lower()
    if not name.startswith(_FAMILY) or name == REQUEST_SCHEMA:
        return None
    version = name.removeprefix(_FAMILY)
    # Anything else may be a producer's text in the wrong place: it is not repeated.
    said = _FAMILY + version if _VERSION.fullmatch(version) else "another version"
    return Problem(
        "",
        f"the message property type says {said}, and this worker knows {REQUEST_SCHEMA} only: "
        "send that, or replay this one when the workers are of a release that knows it",
    )
