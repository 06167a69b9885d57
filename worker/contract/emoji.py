"""Tells whether a reaction is one emoji, as far as that is possible without Unicode's own tables.

Modest on purpose: it refuses words, several emoji and plain symbols of keyboards; a rare sign
that no phone shows as an emoji may pass, and then the API is the judge.
"""

import unicodedata

_JOINER = "\u200d"
_EMOJI_STYLE = "\ufe0f"
_KEYCAP = "\u20e3"
_KEYCAP_BASES = frozenset("0123456789#*")
# Emoji that Unicode files under punctuation, letters or mathematics rather than other symbols.
_UNUSUAL = frozenset("\u203c\u2049\u2139\u3030\u303d\u2194\u25fd\u25fe\u2b55")


def is_one_emoji(text: str) -> bool:
    """True for one base sign with its modifiers, a joined family, a flag or a keycap."""
    if _is_keycap(text) or _is_letter_flag(text):
        return True
    return bool(text) and all(_is_modified_sign(sign) for sign in text.split(_JOINER))


def _is_keycap(text: str) -> bool:
    return (
        len(text) in (2, 3)
        and text[0] in _KEYCAP_BASES
        and text[1:].removeprefix(_EMOJI_STYLE) == _KEYCAP
    )


def _is_letter_flag(text: str) -> bool:
    return len(text) == 2 and all("\U0001f1e6" <= letter <= "\U0001f1ff" for letter in text)


def _is_modified_sign(sign: str) -> bool:
    return bool(sign) and _is_base(sign[0]) and all(_is_modifier(mark) for mark in sign[1:])


def _is_base(character: str) -> bool:
    # The range holds the emoji of Unicode versions newer than this Python's tables, too.
    return (
        "\U0001f000" <= character <= "\U0001faff"
        or character in _UNUSUAL
        or unicodedata.category(character) in ("So", "Sm")
    )


def _is_modifier(character: str) -> bool:
    is_skin_tone = "\U0001f3fb" <= character <= "\U0001f3ff"
    is_flag_tag = "\U000e0020" <= character <= "\U000e007f"
    return character == _EMOJI_STYLE or is_skin_tone or is_flag_tag
