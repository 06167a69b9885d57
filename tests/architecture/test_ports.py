"""Ports stay small enough that a fake is a dozen lines."""

import ast

import pytest

from tests.architecture.source_files import source_files

MOST_METHODS = 4

PROTOCOLS = [
    (file.path, node)
    for file in source_files("worker")
    for node in file.classes()
    if any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)
]
by_name = pytest.mark.parametrize(
    ("path", "protocol"), PROTOCOLS, ids=[f"{path}:{node.name}" for path, node in PROTOCOLS]
)


def test_the_ports_of_the_pipeline_are_among_them() -> None:
    names = {node.name for path, node in PROTOCOLS if path == "worker/ports.py"}
    assert {"Clock", "Gate", "Graph", "Publisher", "Receipts", "Observer"} <= names


@by_name
def test_port_has_at_most_four_methods(path: str, protocol: ast.ClassDef) -> None:
    methods = [
        node.name
        for node in protocol.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert 1 <= len(methods) <= MOST_METHODS, path


@by_name
def test_port_is_named_for_its_role(path: str, protocol: ast.ClassDef) -> None:
    assert not any(word in protocol.name for word in ("Port", "Interface", "Abstract")), path


@by_name
def test_port_says_what_it_is_for(path: str, protocol: ast.ClassDef) -> None:
    assert ast.get_docstring(protocol), path
