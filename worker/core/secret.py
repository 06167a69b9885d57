"""A value that must never be printed, such as an access token."""

from hmac import compare_digest
from typing import Any, NoReturn, Self, SupportsIndex, final

_STARS = "********"


@final
class Secret:
    """Holds a secret text; whatever shows, copies or stores values gets only stars, or an error.

    Not a dataclass: `asdict` and orjson look into those. `reveal` is the only way to the text.
    """

    __slots__ = ("reveal",)
    reveal: str

    def __init__(self, reveal: str) -> None:
        object.__setattr__(self, "reveal", reveal)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret cannot be changed; make a new one")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Secret cannot be changed; make a new one")

    def __str__(self) -> str:
        return _STARS

    def __repr__(self) -> str:
        return f"Secret('{_STARS}')"

    def __format__(self, spec: str) -> str:
        return format(_STARS, spec)

    def __eq__(self, other: object) -> bool:
        """Compare in constant time: how long it took tells nothing of where they differ."""
        if not isinstance(other, Secret):
            return NotImplemented
        return compare_digest(
            self.reveal.encode("utf-8", "surrogatepass"),
            other.reveal.encode("utf-8", "surrogatepass"),
        )

    def __hash__(self) -> int:
        return hash(self.reveal)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a Secret is not pickled: its text would be in the bytes")
