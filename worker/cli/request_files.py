"""Names of files, folders and patterns to the files that hold requests."""

from collections.abc import Iterator, Sequence
from glob import glob, has_magic
from pathlib import Path

from worker.cli.failure import UsageFailed

SUFFIXES = (".json", ".jsonl", ".ndjson")


def request_files(sources: Sequence[str]) -> list[str]:
    """Give each file once, in order; raises UsageFailed for a pattern or folder without any.

    Of a folder all that ends in .json, .jsonl or .ndjson, but nothing in folders that are hidden.
    Patterns are for shells that leave them as they are; `**` stands for any folders.
    """
    return list(dict.fromkeys(file for source in sources for file in _files(source)))


def _files(source: str) -> Iterator[str]:
    path = Path(source)
    if source == "-" or path.is_file():
        yield source
    elif path.is_dir():
        yield from _some(sorted(_in_folder(path)), f"no {', '.join(SUFFIXES)} file in {source}")
    elif has_magic(source) and not path.exists():
        found = sorted(name for name in glob(source, recursive=True) if Path(name).is_file())
        yield from _some(found, f"no file matches {source}")
    else:
        yield source  # a pipe; or it cannot be read, and why is said then


def _in_folder(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix in SUFFIXES and not hidden and path.is_file():
            yield str(path)


def _some(found: list[str], otherwise: str) -> list[str]:
    if not found:
        raise UsageFailed(otherwise)
    return found
