"""What a scenario found: figures for people, and what is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Found:
    """`troubles` is empty when everything was as promised."""

    scenario: str
    figures: dict[str, object] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    def expect(self, holds: bool, sentence: str) -> None:
        """Note what is wrong unless it holds."""
        if not holds:
            self.troubles.append(sentence)

    def text(self) -> str:
        """Say it in lines."""
        lines = [f"{self.scenario}: {'as promised' if not self.troubles else 'NOT as promised'}"]
        lines += [f"  {name}: {value}" for name, value in self.figures.items()]
        lines += [f"  WRONG: {trouble}" for trouble in self.troubles]
        return "\n".join(lines)


def brief(counts: Mapping[str, int]) -> str:
    """Write counts in one line."""
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"
