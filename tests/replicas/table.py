"""A table of figures as plain text, with remarks under it."""

from collections.abc import Mapping, Sequence

from tests.replicas.evidence import Evidence


class Table:
    """Grows by rows and remarks; `str` gives it aligned."""

    def __init__(self, title: str, columns: Sequence[str]) -> None:
        self._title = title
        self._rows = [tuple(columns)]
        self._notes: list[str] = []

    def add(self, *cells: object) -> None:
        assert len(cells) == len(self._rows[0]), "a cell for every column"
        self._rows.append(tuple(map(str, cells)))

    def note(self, text: str) -> None:
        self._notes.append(text)

    def note_machine(self, evidence: Evidence, busy: Mapping[str, float]) -> None:
        """Remark how far the machine itself can have spoilt the figures."""
        used = ", ".join(f"{name} {count:.2f}" for name, count in busy.items())
        self.note(f"cores busy: {used}; together {sum(busy.values()):.2f}")
        self.note(
            f"sandbox: {len(evidence.calls)} calls; its loop was late {len(evidence.stalls)} "
            f"times, at most {1000 * evidence.worst_stall_s:.0f} ms"
        )

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(*self._rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in self._rows
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([f"# {self._title}", *lines, *(f"- {note}" for note in self._notes)])
