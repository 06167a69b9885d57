"""Replaces files so that a reader, and a crash, finds the old contents or the new, whole."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from worker.accounts.reading import AccountsError, shown, why


class CannotWriteError(AccountsError):
    """The file cannot be written, and nothing was changed; the text says what to do."""


class NotReplacedError(AccountsError):
    """The file is as it was. `kept` holds the new contents, if they could be written at all."""

    def __init__(self, text: str, kept: Path | None) -> None:
        super().__init__(text)
        self.kept = kept


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` in the place of the file's contents, with its owner and mode.

    Raises NotReplacedError.
    """
    staged: Path | None = None
    try:
        staged = _empty_beside(path)
        _fill(staged, data, like=path.stat())
        staged.replace(path)
    except OSError as error:
        text = f"{_name(path)} cannot be replaced ({why(error)})"
        raise NotReplacedError(text, _kept(staged, data)) from None
    # Some network file systems cannot do this; the file itself is on the disk.
    with suppress(OSError):
        _sync_folder(path.parent)


def check_replaceable(path: Path) -> Path:
    """Replace the file by itself, and give its real path; raises CannotWriteError.

    Nothing less shows that it will work: a file that is mounted by itself can be opened for
    writing and has a writable folder, but nothing can take its place.
    """
    real = real_file(path)
    try:
        replace_file(real, real.read_bytes())
    except OSError as error:
        raise CannotWriteError(f"{_name(path)} cannot be read ({why(error)})") from None
    except NotReplacedError as error:
        if error.kept is not None:
            error.kept.unlink(missing_ok=True)
        raise CannotWriteError(f"{error}; {_ADVICE}") from None
    return real


def real_file(path: Path) -> Path:
    """Follow links to the file itself; raises CannotWriteError, also for a mounted Secret."""
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise CannotWriteError(f"{_name(path)}: {why(error)}") from None
    # The folder that `..data` points to; what is put there, Kubernetes does away with.
    if any(part.startswith("..") for part in real.parts):
        raise CannotWriteError(f"{_name(path)} is in a Secret that Kubernetes mounted; {_ADVICE}")
    return real


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Be the only one who refreshes; raises CannotWriteError, or BusyError. The file stays."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotWriteError(
            f"{_name(lock.parent)} cannot be written ({why(error)}); {_ADVICE}"
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BusyError(
                f"another igsend accounts refresh is at work here ({lock}: {why(error)}); "
                "wait until it has ended"
            ) from None
        yield
    finally:
        os.close(descriptor)


class BusyError(AccountsError):
    """Somebody else holds the lock."""


_ADVICE = (
    "run this where the tokens are kept, on a directory or file that it may write, and let the "
    "workers have what is there (docs/operations.md, Token life)"
)


def _empty_beside(path: Path) -> Path:
    """Make a file for the owner alone; readers of a directory skip such names."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    os.close(descriptor)
    return Path(name)


def _fill(staged: Path, data: bytes, *, like: os.stat_result) -> None:
    with staged.open("wb") as file:
        made = os.fstat(file.fileno())
        if (made.st_uid, made.st_gid) != (like.st_uid, like.st_gid):
            os.fchown(file.fileno(), like.st_uid, like.st_gid)
        os.fchmod(file.fileno(), like.st_mode & 0o7777)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _kept(staged: Path | None, data: bytes) -> Path | None:
    """Keep what was written if it is whole."""
    if staged is None:
        return None
    try:
        is_whole = staged.read_bytes() == data
    except OSError:
        is_whole = False
    if not is_whole:
        staged.unlink(missing_ok=True)
        return None
    return staged


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _name(path: Path) -> str:
    return str(path.parent / shown(path.name))
