"""What a private RabbitMQ node reads and writes: its folder, configuration and environment.

Everything the server would look for in system places is pointed into the folder, so neither the
machine's own RabbitMQ nor its settings are touched or seen.
"""

import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from worker.local.ports import LOOPBACK

_PLUGINS = ("rabbitmq_consistent_hash_exchange",)
_MANAGEMENT_PLUGIN = "rabbitmq_management"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where one node listens, all on loopback."""

    amqp: int
    distribution: int
    epmd: int
    management: int | None


def write_files(directory: Path, ports: Ports, settings: Mapping[str, str]) -> None:
    """Write configuration, plugin list and cookie; `settings` are lines of rabbitmq.conf."""
    for folder in ("home", "data", "logs", "generated", "conf.d"):
        (directory / folder).mkdir(mode=0o700, exist_ok=True)
    _write_cookie(directory / "home" / ".erlang.cookie")
    plugins = [*_PLUGINS, *([_MANAGEMENT_PLUGIN] if ports.management else [])]
    (directory / "enabled_plugins").write_text(f"[{','.join(plugins)}].\n")
    (directory / "env.conf").write_text("")
    (directory / "advanced.config").write_text("[].\n")
    lines = {**_own_settings(ports), **settings}
    (directory / "rabbitmq.conf").write_text(
        "".join(f"{name} = {value}\n" for name, value in lines.items())
    )


def _own_settings(ports: Ports) -> dict[str, str]:
    settings = {
        "listeners.tcp.local": f"{LOOPBACK}:{ports.amqp}",
        "log.console": "true",
        "log.file": "false",
        # Small machines run several nodes at once; the defaults reserve shares of the whole.
        "vm_memory_high_watermark.absolute": "1GB",
        "disk_free_limit.absolute": "50MB",
    }
    if ports.management:
        settings["management.tcp.ip"] = LOOPBACK
        settings["management.tcp.port"] = str(ports.management)
    return settings


def _write_cookie(cookie: Path) -> None:
    if not cookie.exists():
        cookie.touch(mode=0o600)
        cookie.write_text(secrets.token_hex(16))
        cookie.chmod(0o400)


def node_name(ports: Ports) -> str:
    return f"igsend{ports.distribution}@localhost"


def environment(directory: Path, ports: Ports) -> dict[str, str]:
    """Give the complete environment of the server, of epmd and of rabbitmqctl."""
    return {
        "PATH": _search_path(),
        "LANG": "C.UTF-8",
        "HOME": str(directory / "home"),
        "RABBITMQ_NODENAME": node_name(ports),
        "RABBITMQ_CONF_ENV_FILE": str(directory / "env.conf"),
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
        "RABBITMQ_CONFIG_FILES": str(directory / "conf.d"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(directory / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(directory / "data"),
        "RABBITMQ_LOG_BASE": str(directory / "logs"),
        "RABBITMQ_PID_FILE": str(directory / "node.pid"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(directory / "generated"),
        "RABBITMQ_DIST_PORT": str(ports.distribution),
        "ERL_EPMD_PORT": str(ports.epmd),
        "ERL_EPMD_ADDRESS": LOOPBACK,
        # Without it the distribution port listens on all interfaces.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_CRASH_DUMP": "/dev/null",
        # Makes the server script become the Erlang process instead of waiting beside it: one
        # process to signal, and the kernel's guard (child.py) holds for the node itself.
        "RUNNING_UNDER_SYSTEMD": "true",
    }


def _search_path() -> str:
    erl = shutil.which("erl")
    own = [str(Path(erl).parent)] if erl else []
    return os.pathsep.join([*own, "/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"])
