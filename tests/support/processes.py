"""Questions about processes on Linux: who descends from whom, who listens where, who has gone."""

import asyncio
import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

_LISTENING = "0A"
_LOOPBACKS = {"0100007F", "00000000000000000000000001000000"}


async def ended(pids: Iterable[int], *, within_s: float = 30.0) -> None:
    """Wait until all of them have ended; raises TimeoutError when one has not."""
    async with asyncio.timeout(within_s):
        for pid in pids:
            await _ended(pid)


async def _ended(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    has_ended = asyncio.Event()
    loop.add_reader(descriptor, has_ended.set)
    try:
        await has_ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def with_descendants(pids: Iterable[int]) -> set[int]:
    """Give `pids` and everything they started, directly or not, that runs now."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The second field, a name in brackets, may itself hold blanks.
            fields = status.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents[int(status.parent.name)] = int(fields[1])
    family = set(pids)
    while new := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= new
    return family


def listening_beyond_loopback(pids: Iterable[int]) -> list[str]:
    """Give the addresses, as the kernel writes them, where outsiders could reach the processes."""
    sockets = {name for pid in pids for name in _open_files(pid)}
    exposed = []
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text().splitlines()[1:]:
            fields = line.split()
            address, state, inode = fields[1], fields[3], fields[9]
            is_theirs = f"socket:[{inode}]" in sockets
            if is_theirs and state == _LISTENING and address.split(":")[0] not in _LOOPBACKS:
                exposed.append(address)
    return exposed


def _open_files(pid: int) -> Iterator[str]:
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since it was listed
            yield os.readlink(link)
