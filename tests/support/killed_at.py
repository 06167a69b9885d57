"""Runs a Python program that is killed (SIGKILL) as it comes to a line of its own file.

python -m tests.support.killed_at LINE PROGRAM ARGUMENT...
"""

import os
import runpy
import signal
import sys
from types import FrameType
from typing import Any


def main(line: int, program: str, arguments: list[str]) -> None:
    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename != program:
            return None
        if event == "line" and frame.f_lineno == line:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.argv = [program, *arguments]
    sys.settrace(trace)
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
