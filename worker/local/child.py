"""One child process that cannot outlive us: own process group, ended by its pid, log in a file.

On Linux the kernel kills it when the thread that started it ends, so even our own SIGKILL
leaves nothing running. Start children from a thread that stays: the main one.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

# The shell closes the gap before the kernel's guard is set: had we died by then, its parent
# would be another process already.
_ONLY_UNDER_PARENT = 'test "$PPID" = "$0" || exit 1; exec "$@"'


class Child:
    """Started and ended any number of times; never two at once."""

    def __init__(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self.log = log
        self._log_start = 0
        self._command = tuple(command)
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process's id while it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def is_running(self) -> bool:
        return self.pid is not None

    @property
    def exit_code(self) -> int | None:
        """Of the last run: negative for a signal; None before the first and while it runs."""
        return None if self._process is None else self._process.poll()

    def said(self) -> str:
        """What the last run wrote to the log."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode("utf-8", "replace")

    def start(self) -> None:
        if self.is_running:
            raise RuntimeError(f"{self.name} runs already as pid {self.pid}")
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                [*_guard(), *self._command],
                env=self._environment,
                cwd=self.log.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    async def end(self, *, patience_s: float) -> None:
        """SIGTERM, then SIGKILL if it still runs after `patience_s`; cancelling kills at once."""
        try:
            if self._process is not None and self._signal(signal.SIGTERM):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    await asyncio.to_thread(self._process.wait, patience_s)
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL it and its group; returns when it is gone."""
        if self._signal(signal.SIGKILL) and self._process is not None:
            self._process.wait()

    def _signal(self, number: signal.Signals) -> bool:
        # Only while it has not been reaped: until then its id cannot belong to anybody else.
        pid = self.pid
        if pid is None:
            return False
        if number is signal.SIGKILL:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
        return True


def _guard() -> Sequence[str]:
    setpriv = shutil.which("setpriv")
    if setpriv is None:  # not Linux: the process group and `end` are all there is
        return ()
    return (setpriv, "--pdeathsig", "KILL", "sh", "-c", _ONLY_UNDER_PARENT, str(os.getpid()))
