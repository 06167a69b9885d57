"""Each setting stands, with its true default, in the README and in deploy/."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from worker.config import Config, variable

ROOT = Path(__file__).parents[2]


def default_of(name: str) -> str:
    default = Config.model_fields[name].default
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default is None else str(default)


def test_readme_has_a_row_for_each_setting_in_order() -> None:
    rows = [
        line.split(" | ")
        for line in (ROOT / "README.md").read_text().splitlines()
        if line.startswith("| `IGSEND_")
    ]
    documented = [(row[0].strip("| `"), row[1].strip("` "), row[2].strip("| ")) for row in rows]
    assert documented == [
        (variable(name), default_of(name), field.description)
        for name, field in Config.model_fields.items()
    ]


@pytest.mark.parametrize("name", Config.model_fields)
def test_deploy_has_each_setting_with_its_default_and_meaning(name: str) -> None:
    text = (ROOT / "deploy" / "worker.env.example").read_text()
    meaning = Config.model_fields[name].description
    assert f"# {meaning}\n#{variable(name)}={default_of(name)}\n" in text
