"""Questions about processes on Linux: who descends from whom, who listens where, who has gone."""

import asyncio
import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
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


def used_s(pids: Iterable[int]) -> float:
    """Add up the processor time of processes and of their children that have ended."""
    return sum(_used_s(pid) for pid in pids)


def peak_mb(pids: Iterable[int]) -> float:
    """Add up the greatest resident memory that each process ever had."""
    return sum(_memory_kb(pid, "VmHWM") for pid in pids) / 1024


def resident_mb(pids: Iterable[int]) -> float:
    """Add up the resident memory that each process has now."""
    return sum(_memory_kb(pid, "VmRSS") for pid in pids) / 1024


def _used_s(pid: int) -> float:
    try:
        # The second field, a name in brackets, may itself hold blanks.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) / TICKS_PER_S


def _memory_kb(pid: int, name: str) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    # A process that is just ending has no memory left to tell of.
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    return 0 if found is None else int(found[1])
