"""`igsend validate`: say everything that is wrong with requests, without a broker."""

from typing import Annotated, Any

import orjson
import typer

from worker.cli.lines import Line, read_requests
from worker.contract.decode import decode
from worker.contract.validator import RequestValidator
from worker.core.problem import Problem


def validate(
    source: Annotated[
        str, typer.Argument(metavar="FILE|-", help="JSON, a JSON array, or JSON lines.")
    ],
    json: Annotated[bool, typer.Option("--json", help="One JSON object per request.")] = False,
) -> None:
    """Check send-requests against the contract; exit 1 when one is invalid."""
    validator = RequestValidator()
    total = invalid = 0
    for line in read_requests(source):
        request_id, problems = _examine(line, validator)
        total += 1
        invalid += bool(problems)
        if json:
            _print_json(line, request_id, problems)
        elif problems:
            _print_text(line, request_id, problems)
    if not json:
        typer.echo(f"{total - invalid} of {total} requests are valid")
    if invalid:
        raise typer.Exit(1)


def _examine(line: Line, validator: RequestValidator) -> tuple[str | None, list[Problem]]:
    document = decode(line.body)
    if isinstance(document, list):
        return None, document
    return _id_of(document), validator.problems(document)


def _id_of(document: dict[str, Any]) -> str | None:
    request_id = document.get("id")
    return request_id if isinstance(request_id, str) else None


def _print_json(line: Line, request_id: str | None, problems: list[Problem]) -> None:
    report = {
        "line": line.number,
        "id": request_id,
        "valid": not problems,
        "errors": [{"pointer": p.pointer, "message": p.message} for p in problems],
    }
    typer.echo(orjson.dumps(report).decode())


def _print_text(line: Line, request_id: str | None, problems: list[Problem]) -> None:
    typer.echo(f"line {line.number}, id {request_id or 'unknown'}:")
    for problem in problems:
        typer.echo(f"  {problem.pointer or '(the request)'}: {problem.message}")
