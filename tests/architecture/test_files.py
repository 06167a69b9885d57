"""Files and functions stay short, and each file says what it is."""

import ast

import pytest

from tests.architecture.source_files import ROOT, SourceFile, source_files

LONGEST_FILE = 400
LONGEST_FUNCTION = 60
LONGEST_INTRODUCTION = 4
UNFINISHED = {"TO" + "DO", "FIX" + "ME", "X" + "XX"}

EVERYWHERE = source_files("worker", "tests")


def test_the_files_that_are_looked_at_are_those_of_the_project() -> None:
    paths = {file.path for file in EVERYWHERE}
    assert {"worker/config.py", "tests/architecture/test_files.py"} <= paths


def test_every_file_is_short_enough_to_be_read_at_once() -> None:
    lengths = {file.path: file.text.count("\n") for file in EVERYWHERE}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_every_module_opens_with_one_to_four_lines_on_its_role() -> None:
    introductions = {file.path: _introduction(file) for file in EVERYWHERE}
    wrong = [
        path for path, lines in introductions.items() if not 1 <= lines <= LONGEST_INTRODUCTION
    ]
    assert wrong == []


def _introduction(file: SourceFile) -> int:
    """Count the lines of the docstring's first paragraph."""
    docstring = ast.get_docstring(file.tree) or ""
    return len(docstring.partition("\n\n")[0].splitlines())


def test_every_function_is_short() -> None:
    too_long = [
        f"{file.path}:{function.lineno} {function.name}"
        for file in EVERYWHERE
        for function in file.functions()
        if (function.end_lineno or 0) - function.lineno + 1 > LONGEST_FUNCTION
    ]
    assert too_long == []


def test_nothing_is_left_for_later() -> None:
    unfinished = [
        file.path
        for file in EVERYWHERE
        if UNFINISHED & set(file.text.replace("(", " ").replace(":", " ").split())
    ]
    assert unfinished == []


@pytest.mark.parametrize("name", ["utils", "helpers", "common", "base", "types", "models", "misc"])
def test_no_file_is_named_for_nothing_in_particular(name: str) -> None:
    found = [*(ROOT / "worker").rglob(f"{name}.py"), *(ROOT / "worker").rglob(f"{name}/")]
    assert found == []
