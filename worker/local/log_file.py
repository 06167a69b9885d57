"""Reading what a node wrote to its log file, for error messages."""

from pathlib import Path

_LINES = 25
_BYTES = 16_384


def written_after(log: Path, offset: int) -> str:
    """Give what stands in `log` behind `offset`; empty when there is no such file."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(offset)
        return file.read().decode("utf-8", "replace")


def last_lines(log: Path) -> str:
    """Give the last lines of `log`, indented, or say that it is empty."""
    lines = written_after(log, max(0, size(log) - _BYTES)).rstrip().splitlines()[-_LINES:]
    if not lines:
        return "    (its log is empty)"
    return "\n".join(f"    {line}" for line in lines)


def size(log: Path) -> int:
    """Give its length in bytes; 0 when there is no such file."""
    return log.stat().st_size if log.exists() else 0
