"""Stopping: what has not begun is handed back, what is under way may finish, then is cut."""

import asyncio
from types import TracebackType


class Drain:
    """Shared by the steps; `begin` and `cut` are called once, in this order."""

    def __init__(self) -> None:
        self.is_draining = False
        self._calls: set[Call] = set()
        self._is_cut = False

    def begin(self) -> None:
        """Let nothing new begin."""
        self.is_draining = True

    def cut(self) -> None:
        """End the calls still under way; each sees a TimeoutError and becomes unknown."""
        self._is_cut = True
        for call in self._calls:
            call.cut()

    def calling(self) -> "Call":
        """Wrap one call to the API; the block ends in a TimeoutError when it is cut."""
        return Call(self._calls, is_cut=self._is_cut)


class Call:
    """One call under way: an `asyncio.timeout` without the time, at a tenth of its price."""

    __slots__ = ("_calls", "_is_cut", "_task")

    def __init__(self, calls: "set[Call]", *, is_cut: bool) -> None:
        self._calls = calls
        self._is_cut = is_cut

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None, "calls are made by tasks"
        self._task = task
        self._calls.add(self)
        if self._is_cut:
            self.cut()

    def cut(self) -> None:
        """End the wait for the answer."""
        self._is_cut = True
        self._task.cancel()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._calls.discard(self)
        # Whoever else cancelled the task meanwhile is not to be taken for the cut.
        if self._is_cut and self._task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise TimeoutError from error
