"""The last net under every line that leaves the process: masks what looks like a secret.

No code puts a token into a log; libraries and their exceptions might.
"""

import re
from typing import NamedTuple

STARS = b"********"


class _Rule(NamedTuple):
    """A pattern, tried only when the line holds one of `marks`: most lines hold none."""

    marks: tuple[str, ...]
    pattern: re.Pattern[bytes]
    replacement: bytes


# No pattern takes a quote or a backslash, so a masked line of JSON stays JSON; none takes the
# escape of a terminal colour.
_RULES = (
    # Instagram User tokens (IGAA…, IGQ…) and the Facebook tokens that Meta's other hosts use.
    _Rule(
        ("IGAA", "IGQ", "EAA"),
        re.compile(rb"(?:IGAA|IGQ|EAA)[A-Za-z0-9_-]{16,}"),
        STARS,
    ),
    _Rule(
        ("earer", "EARER"),
        re.compile(rb"(?i)\b(bearer(?:\s|%20)+)[^\s\"'\\,;\x1b]+"),
        rb"\1" + STARS,
    ),
    _Rule(
        ("access_token",),
        re.compile(rb"(access_token(?:=|%3D))[^\s\"'\\&#\x1b]+"),
        rb"\1" + STARS,
    ),
    # Up to the last @ before the path: a password with an unescaped @ goes whole.
    _Rule(
        ("://",),
        re.compile(rb"(://[^\s/:@\"'\\\x1b]*:)[^\s/\"'\\\x1b]*@"),
        rb"\1" + STARS + b"@",
    ),
)


def masked(line: bytes) -> bytes:
    """Replace tokens, bearer credentials and passwords in URLs by stars."""
    # One character per byte; a string is searched in half the time.
    text = line.decode("latin-1")
    for rule in _RULES:
        for mark in rule.marks:
            if mark in text:
                line = rule.pattern.sub(rule.replacement, line)
                break
    return line
