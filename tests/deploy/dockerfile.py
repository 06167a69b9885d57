"""Reads a Dockerfile: its stages and their instructions, with exec forms taken apart."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from tests.deploy.tools import ROOT

DOCKERFILE = ROOT / "deploy" / "Dockerfile"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; `words` of an exec form are its strings, else what stands between blanks."""

    name: str
    text: str

    @property
    def is_exec(self) -> bool:
        return self.text.startswith("[")

    @property
    def words(self) -> list[str]:
        return [str(word) for word in json.loads(self.text)] if self.is_exec else self.text.split()


@dataclass(frozen=True, slots=True)
class Stage:
    """From one FROM to the next."""

    base: str
    instructions: list[Instruction] = field(default_factory=list)

    def named(self, name: str) -> list[Instruction]:
        return [each for each in self.instructions if each.name == name]


def stages_of(path: Path = DOCKERFILE) -> list[Stage]:
    """Read all stages; comments and continued lines are resolved."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    text = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    stages: list[Stage] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            stages.append(Stage(rest.split()[0]))
        else:
            stages[-1].instructions.append(Instruction(name, rest.strip()))
    return stages
