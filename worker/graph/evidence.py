"""What is certain about one call: whether a byte of it was handed out, and what came back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class Answer(Protocol):
    """The head of an answer; aiohttp's response is one too."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...


@dataclass(slots=True)
class Evidence:
    """Filled in while the call is under way, read when it fails."""

    is_written: bool = False
    answer: Answer | None = None
