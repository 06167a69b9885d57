"""One emoji is told from several, from words and from signs of the keyboard."""

import pytest

from worker.contract.emoji import is_one_emoji

_PLAIN = ("😊", "🎉", "👋", "❤", "™", "\U0001fae9")
_STYLED = ("❤\ufe0f", "‼\ufe0f", "™\ufe0f", "ℹ\ufe0f", "↔\ufe0f", "〰\ufe0f")
_MODIFIED = ("👍🏽", "👩🏻\u200d🚀", "👨\u200d👩\u200d👧\u200d👦", "🏳\ufe0f\u200d🌈")
_FLAGS = ("🇩🇪", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f")
_KEYCAPS = ("1\ufe0f\u20e3", "#\u20e3")

_TEXTS = ("", "love", "a", "1", "é", "я", " ", "!", "#")
_SEVERAL = ("😊😊", "😊 ", "😊!", "👍a", "😊\n", "🇩🇪🇫🇷", "🇩🇪🇫", "1\ufe0f\u20e32\ufe0f\u20e3")
_TORN = ("\u200d", "😊\u200d", "\u200d😊", "\ufe0f", "🏽\u200d", "\u20e3", "1\ufe0f")


@pytest.mark.parametrize("text", [*_PLAIN, *_STYLED, *_MODIFIED, *_FLAGS, *_KEYCAPS])
def test_one_emoji_is_recognised(text: str) -> None:
    assert is_one_emoji(text)


@pytest.mark.parametrize("text", [*_TEXTS, *_SEVERAL, *_TORN])
def test_anything_else_is_no_single_emoji(text: str) -> None:
    assert not is_one_emoji(text)
