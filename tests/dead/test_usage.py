"""Options that make no sense are told before the broker is asked for anything."""

import pytest
from typer.testing import CliRunner

from worker.cli.failure import UsageFailed
from worker.cli.main import app


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("replay unconfirmed --yes", "--verify asks each conversation first"),
        ("replay unconfirmed --verify --force --yes", "exclude each other"),
        ("replay account", "nobody can be asked here; add --yes"),
        ("discard account --to x", "nobody can be asked here; add --yes"),
        ("replay account --rate 0/s --yes", "--rate 0/s: write how many"),
        ("replay account --rate nan --yes", "--rate nan: write how many"),
        ("replay account --max-failures 120% --yes", "write a share of all"),
        ("replay account --max-failures nan --yes", "write a share of all"),
        ("replay account --edit [7] --yes", "not a JSON Patch"),
        ("replay account --edit @missing.json --yes", "cannot read"),
        ("show account --code x", "no error code"),
        ("show account --since x", "no moment"),
        ("show account --where x", "no condition"),
        ("import missing.jsonl", "cannot read missing.jsonl"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(arguments: str, said: str) -> None:
    result = CliRunner().invoke(app, ["dead", *arguments.split()])
    assert isinstance(result.exception, UsageFailed), result.output
    assert said in str(result.exception)


@pytest.mark.parametrize("verb", ["show", "replay", "export", "discard"])
def test_every_command_has_every_filter(verb: str) -> None:
    said = CliRunner().invoke(app, ["dead", verb, "--help"], env={"COLUMNS": "200"}).output
    for name in ("account", "code", "reason", "since", "until", "id", "kind", "where", "limit"):
        assert f"--{name}" in said
