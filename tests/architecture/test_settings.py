"""Every setting says what it changes."""

import pytest

from worker.config import Config, variable


@pytest.mark.parametrize("name", Config.model_fields)
def test_setting_has_a_description_in_one_line(name: str) -> None:
    description = Config.model_fields[name].description
    assert description, f"say what {variable(name)} changes, and its unit"
    assert "\n" not in description
    assert len(description) <= 100


@pytest.mark.parametrize("name", [n for n in Config.model_fields if n.endswith("_s")])
def test_setting_that_is_a_time_names_its_unit(name: str) -> None:
    assert "second" in (Config.model_fields[name].description or "")


def test_every_setting_has_a_default_but_secrets_never_print() -> None:
    config = Config.from_env({"IGSEND_AMQP_URL": "amqp://user:s3cret@host/"})
    assert "s3cret" not in str(config.shown()) + repr(config)
