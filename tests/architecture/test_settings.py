"""Every setting says what it changes."""

from pathlib import Path

import pytest

from worker.config import Config, ConfigError, variable


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


@pytest.mark.parametrize("network", ["10.0.0.0/99", "10.0.0/8/8", "files.internal/8"])
def test_network_that_is_none_is_refused_and_named(network: str) -> None:
    with pytest.raises(ConfigError, match=f"IGSEND_MEDIA_ALLOW: {network} is no network"):
        Config.from_env({"IGSEND_MEDIA_ALLOW": f"files.internal, {network}"})


def test_hosts_and_networks_may_be_allowed() -> None:
    config = Config.from_env({"IGSEND_MEDIA_ALLOW": "files.internal, 10.1.0.0/16, fd00::/8"})
    assert config.media_allow == "files.internal, 10.1.0.0/16, fd00::/8"


@pytest.mark.parametrize("name", ["amqp_url", "gate_url", "accounts"])
def test_url_with_a_password_may_come_from_a_file(tmp_path: Path, name: str) -> None:
    url = {
        "amqp_url": "amqp://user:s3cret@host/v",
        "gate_url": "redis://:s3cret@host/1",
        "accounts": "https://user:s3cret@host/{account_id}",
    }[name]
    file = tmp_path / "url"
    file.write_text(url + "\n")
    config = Config.from_env({variable(f"{name}_file"): str(file)})
    assert getattr(config, name).get_secret_value() == url
    assert "s3cret" not in str(config.shown())


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "cannot read"), (b"", "is empty"), (b"\xff", "not UTF-8"), (b"x", "must start with")],
)
def test_file_without_a_usable_url_is_named(
    tmp_path: Path, content: bytes | None, says: str
) -> None:
    file = tmp_path / "url"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=says) as caught:
        Config.from_env({"IGSEND_AMQP_URL_FILE": str(file)})
    assert "IGSEND_AMQP_URL" in str(caught.value)


def test_url_and_its_file_are_not_both_taken(tmp_path: Path) -> None:
    given = {"IGSEND_GATE_URL": "memory://", "IGSEND_GATE_URL_FILE": str(tmp_path)}
    with pytest.raises(ConfigError, match="leave one of them out"):
        Config.from_env(given)


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".example", ".example"])
@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("IGSEND_AMQP_URL", "amqp://guest:hidden@{host}/"),
        ("IGSEND_GATE_URL", "redis://:hidden@{host}/0"),
        ("IGSEND_GRAPH_URL", "https://{host}"),
        ("IGSEND_ACCOUNTS", "https://:hidden@{host}/{{account_id}}"),
    ],
)
def test_host_that_nobody_can_look_up_is_refused(name: str, url: str, host: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}: is no URL with a host") as caught:
        Config.from_env({name: url.format(host=host)})
    assert "hidden" not in str(caught.value)
