"""SIGTERM as a cancellation, so that context managers get to clean up behind themselves."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def cancelled_by_sigterm() -> Iterator[None]:
    """Cancel the current task on SIGTERM, as asyncio already does on Ctrl-C. Main thread only.

    Without it a SIGTERM still ends the nodes (child.py) but leaves their folders behind.
    """
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("enter this inside a task")
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
