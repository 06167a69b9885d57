"""Rules for the tests themselves."""

import ast

from tests.architecture.source_files import source_files

# These poll other processes, inside a deadline.
WITH_PROCESSES = ("tests/e2e/", "tests/integration/", "tests/support/")


def test_tests_wait_for_events_and_never_sleep() -> None:
    sleeping = [
        f"{file.path}:{getattr(node, 'lineno', 0)}"
        for file in source_files("tests")
        if not file.path.startswith(WITH_PROCESSES)
        for node in ast.walk(file.tree)
        if _is_sleep(node)
    ]
    assert sleeping == []


def _is_sleep(node: ast.AST) -> bool:
    """True for a call of `sleep` with anything but 0, which only lets others run."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    module = node.func.value
    if node.func.attr != "sleep" or not isinstance(module, ast.Name):
        return False
    first = node.args[0] if node.args else None
    is_yield = isinstance(first, ast.Constant) and first.value == 0
    return module.id in {"time", "asyncio"} and not is_yield
