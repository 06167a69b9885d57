"""`igsend validate`: say everything that is wrong with requests, without a broker."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from worker.cli.failure import UsageFailed
from worker.cli.lines import Line, read_requests
from worker.cli.places import place_of
from worker.cli.request_files import request_files
from worker.contract.decode import decode
from worker.contract.validator import RequestValidator
from worker.core.problem import Problem

_PLACE_IN_BODY = re.compile(r"(?<=at line )(\d+)(?=, column)")


class Format(StrEnum):
    """How what is found is said."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


@dataclass(frozen=True, slots=True)
class Examined:
    """One request, and what is wrong with it. `file` is None where there is only one."""

    file: str | None
    line: Line
    id: str | None
    problems: list[Problem]


def validate(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|-",
            help="JSON, a JSON array, or JSON lines; several files, folders and patterns too.",
        ),
    ],
    form: Annotated[
        Format, typer.Option("--format", help="github: annotations in a workflow.")
    ] = Format.TEXT,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Check send-requests against the contract; exit 1 when one is invalid."""
    if json and form is Format.GITHUB:
        raise UsageFailed("--json and --format github exclude each other")
    form = Format.JSON if json else form
    files = request_files(sources)
    validator = RequestValidator()
    total = invalid = 0
    for file in files:
        for line in read_requests(file):
            named = file if len(files) > 1 or form is Format.GITHUB else None
            examined = _examine(line, validator, named)
            total += 1
            invalid += bool(examined.problems)
            _PRINTERS[form](examined)
    if form is not Format.JSON:
        where = f" in {len(files)} files" if len(files) > 1 else ""
        typer.echo(f"{total - invalid} of {total} requests{where} are valid")
    if invalid:
        raise typer.Exit(1)


def _examine(line: Line, validator: RequestValidator, file: str | None) -> Examined:
    if line.problem is not None:
        return Examined(file, line, None, [Problem("", line.problem)])
    document = decode(line.body)
    if isinstance(document, list):
        return Examined(file, line, None, [_in_file(problem, line) for problem in document])
    return Examined(file, line, _id_of(document), validator.problems(document))


def _in_file(problem: Problem, line: Line) -> Problem:
    """Count lines from the beginning of the file."""

    def counted(found: re.Match[str]) -> str:
        return str(int(found[1]) + line.number - 1)

    return replace(problem, message=_PLACE_IN_BODY.sub(counted, problem.message))


def _id_of(document: dict[str, Any]) -> str | None:
    request_id = document.get("id")
    return request_id if isinstance(request_id, str) else None


def _print_json(examined: Examined) -> None:
    report = {
        "line": examined.line.number,
        "id": examined.id,
        "valid": not examined.problems,
        "errors": [{"pointer": p.pointer, "message": p.message} for p in examined.problems],
    }
    if examined.file is not None:
        report = {"file": examined.file, **report}
    typer.echo(orjson.dumps(report).decode())


def _print_text(examined: Examined) -> None:
    if not examined.problems:
        return
    number = examined.line.number
    where = f"line {number}" if examined.file is None else f"{examined.file}:{number}"
    typer.echo(f"{where}, id {examined.id or 'unknown'}:")
    for problem in examined.problems:
        typer.echo(f"  {problem.pointer or '(the request)'}: {problem.message}")


def _print_github(examined: Examined) -> None:
    """Print a workflow command for each problem, at the line of the value it is about."""
    for problem in examined.problems:
        place = place_of(examined.line.body, problem.pointer)
        properties = {
            "file": None if examined.file in (None, "-") else _in_repository(str(examined.file)),
            "line": str(examined.line.number + place.line - 1),
            # How far a line of JSON lines is indented is not kept; it seldom is.
            "col": str(place.column),
            "title": f"request {examined.id or 'without an id'}, {problem.pointer or 'as a whole'}",
        }
        typer.echo(_workflow_error(properties, problem.message))


def _in_repository(file: str) -> str:
    """GitHub shows files by their path from the top of the repository."""
    top = os.environ.get("GITHUB_WORKSPACE")
    path = Path(file).resolve()
    if top and path.is_relative_to(Path(top).resolve()):
        return path.relative_to(Path(top).resolve()).as_posix()
    return file


def _workflow_error(properties: Mapping[str, str | None], message: str) -> str:
    said = ",".join(
        f"{name}={_escaped(value).replace(':', '%3A').replace(',', '%2C')}"
        for name, value in properties.items()
        if value is not None
    )
    return f"::error {said}::{_escaped(message)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


_PRINTERS: Mapping[Format, Callable[[Examined], None]] = {
    Format.TEXT: _print_text,
    Format.JSON: _print_json,
    Format.GITHUB: _print_github,
}
