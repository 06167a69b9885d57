"""How long to wait before the next try to connect."""

import random

FIRST_S = 0.1
LONGEST_S = 2.0


class Pauses:
    """They grow up to LONGEST_S; jittered, so that workers do not come in step."""

    def __init__(self) -> None:
        self._next_s = FIRST_S

    def reset(self) -> None:
        self._next_s = FIRST_S

    def next_s(self) -> float:
        pause_s = self._next_s * (0.5 + random.random() / 2)
        self._next_s = min(LONGEST_S, self._next_s * 2)
        return pause_s
