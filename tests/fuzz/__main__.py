"""Fuzz what reads foreign bytes, guided by coverage: `python -m tests.fuzz TARGET [SECONDS]`.

TARGET is body, content_header or frames. Needs the package atheris (`make fuzz` installs it). A
crash is written to a file named crash-…; `python -m tests.fuzz TARGET FILE` runs it again.
"""

import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]  # may be absent

with atheris.instrument_imports(include=["worker"]):
    from tests.fuzz import targets

from tests.contract.corpus import EXAMPLES

_TARGETS = {
    "body": targets.body,
    "content_header": targets.content_header,
    "frames": targets.frames,
}
_USAGE = f"usage: python -m tests.fuzz {{{','.join(_TARGETS)}}} [SECONDS|CRASH FILE]\n"
_LARGEST = 4096


def main(arguments: list[str]) -> None:
    """Run one target for so many seconds (60), or once on one file."""
    if not arguments or arguments[0] not in _TARGETS:
        sys.stderr.write(_USAGE)
        raise SystemExit(2)
    target, what = _TARGETS[arguments[0]], arguments[1] if len(arguments) > 1 else "60"
    if Path(what).is_file():
        target(Path(what).read_bytes())
        return
    with tempfile.TemporaryDirectory() as corpus:
        for number, example in enumerate(sorted(EXAMPLES.rglob("*.json"))):
            (Path(corpus) / str(number)).write_bytes(example.read_bytes())
        options = [f"-max_total_time={what}", f"-max_len={_LARGEST}", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *options, corpus], target)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
