"""One thing that is wrong with a document, and where."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """A JSON Pointer (RFC 6901, "" for the whole document) and one plain sentence."""

    pointer: str
    message: str
