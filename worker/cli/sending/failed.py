"""The file of lines that failed: as they were given, to be mended and sent again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from worker.cli.failure import CommandFailed, UsageFailed
from worker.cli.lines import Line


class FailedLines:
    """Keeps lines, behind `header` if there is one. Without a path it only counts them."""

    def __init__(self, path: Path | None, header: bytes) -> None:
        self.count = 0
        self.path = path
        self._header = header.rstrip(b"\r\n")
        self._file = None if path is None else _new_file(path)

    @property
    def is_of_use(self) -> bool:
        """Whether there is a file with something in it."""
        return self.path is not None and self.count > 0

    def keep(self, line: Line) -> None:
        """Write it down."""
        self.count += 1
        if self._file is None:
            return
        begin = self._header + b"\n" if self.count == 1 and self._header else b""
        try:
            self._file.write(begin + line.again() + b"\n")
            self._file.flush()
        except OSError as error:
            raise CommandFailed(f"cannot write {self.path}: {error.strerror}") from None

    def close(self) -> None:
        """Close the file; an empty one is taken away."""
        if self._file is not None and self.path is not None:
            self._file.close()
            if not self.count:
                self.path.unlink()


@contextmanager
def failed_lines(path: Path | None, header: bytes) -> Iterator[FailedLines]:
    """Open a new file; raises UsageFailed when it cannot be one."""
    failed = FailedLines(path, header)
    try:
        yield failed
    finally:
        failed.close()


def _new_file(path: Path) -> BinaryIO:
    try:
        return path.open("xb")
    except FileExistsError:
        raise UsageFailed(f"--failed: {path} exists; name a new file") from None
    except OSError as error:
        raise UsageFailed(f"--failed: cannot write {path}: {error.strerror}") from None
