"""Long text in pieces that the API takes, cut where a reader would.

Meta takes 1000 bytes of UTF-8 in one message ("Send a text message").
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

LONGEST_TEXT_BYTES = 1000
# White space but what says that no line ends there: "10 000 €", "Bonjour !".
_SPACE = r"[^\S\xa0\u2007\u202f]"
# The best place comes first; each pattern ends where the next piece begins.
_PLACES = (
    re.compile(rf"\n\s*\n{_SPACE}*"),
    re.compile(rf"\n{_SPACE}*"),
    re.compile(rf"[.!?…][\"'»”’)\]]*{_SPACE}+|[。！？][」』）】”’]*"),  # these end sentences too
    re.compile(rf"{_SPACE}+"),
)
# A better place is worth it only if the piece before it is not too short.
_SHORTEST_SHARE = 0.5
# No emoji sequence is longer; what is, such as a letter under a heap of accents, is cut.
_LONGEST_GRAPHEME = 64
# What belongs to the character before it without being a mark: joiners, skin tones, parts of
# flags, two vowels and the halfwidth sound marks.
_ATTACHED = re.compile(
    "[\u200c\u200d\u0e33\u0eb3\uff9e\uff9f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
)


def split_text(text: str, *, most_bytes: int = LONGEST_TEXT_BYTES) -> list[str]:
    """Cut a text into pieces of at most `most_bytes` in UTF-8; one that fits stays as it is.

    Cuts between paragraphs, else lines, sentences, words, and else between what a person sees as
    characters. Nothing is lost but white space at the cuts.
    """
    if len(text.encode()) <= most_bytes:
        return [text]
    return list(_pieces(text.strip(), most_bytes))


def split(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Make each message with a text into as many as it takes; quick replies stay on the last.

    Whatever follows quick replies hides them.
    """
    return [part for message in messages for part in _parts(message)]


def _parts(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if "text" not in message:
        return [message]
    *before, last = split_text(message["text"])
    return [*({"text": piece} for piece in before), {**message, "text": last}]


def _pieces(rest: str, most_bytes: int) -> Iterator[str]:
    while len(rest.encode()) > most_bytes:
        fits = len(rest.encode()[:most_bytes].decode(errors="ignore"))
        cut = _cut(rest, fits)
        yield rest[:cut].rstrip()
        rest = rest[cut:].lstrip()
    yield rest


def _cut(rest: str, fits: int) -> int:
    """Say where the next piece ends, at most `fits` characters on."""
    for place in _PLACES:
        cut = _last(place, rest, fits)
        if cut >= fits * _SHORTEST_SHARE:
            return cut
    return _last(_PLACES[-1], rest, fits) or _whole_characters(rest, fits)


def _last(place: re.Pattern[str], rest: str, fits: int) -> int:
    """Find the last such place; 0 when there is none."""
    ends = [found.end() for found in place.finditer(rest, 0, fits + 1)]
    if ends and ends[-1] > fits and rest[fits].isspace():
        # White space may reach beyond the end: it is dropped there.
        return fits
    return max((end for end in ends if end <= fits and not _is_attached(rest, end)), default=0)


def _is_attached(rest: str, at: int) -> bool:
    """Whether the character there belongs to the one before it: an accent, a joiner, a style."""
    return unicodedata.category(rest[at])[0] == "M" or _ATTACHED.match(rest, at) is not None


def _whole_characters(rest: str, fits: int) -> int:
    """Cut between graphemes: no flag, family or accent is torn apart."""
    # Takes as much memory as a hundred requests in hand, and hardly any text gets here.
    import regex  # noqa: PLC0415

    ends = (found.end() for found in regex.finditer(r"\X", rest[: fits + _LONGEST_GRAPHEME]))
    return max((end for end in ends if end <= fits), default=fits)
