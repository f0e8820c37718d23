"""Demo mode: where the embedded servers listen, and the generated secrets (P13)."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from trading.config.variables import READER, ROLES, VARIABLES, ConfigError, Process

GENERATED = "demo-"  # how a generated secret begins; production refuses it


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedServers:
    """Where the embedded servers of a ``DATA_DIR`` listen. Written by ``mingbiao up``, read by every process it starts.

    ``database`` is a SQLAlchemy address with the word ROLE in place of the database role.
    """

    database: str
    redis: str

    def write(self, data_dir: Path) -> None:
        """Replace the note in ``data_dir`` atomically."""
        text = json.dumps({"database": self.database, "redis": self.redis})
        fresh = data_dir / "servers.json.new"
        fresh.write_text(text)
        fresh.replace(data_dir / "servers.json")

    @classmethod
    def read(cls, data_dir: Path) -> EmbeddedServers:
        """Return the note of ``data_dir``.

        Raises:
            ConfigError: No platform has been started there.
        """
        try:
            note = json.loads((data_dir / "servers.json").read_text())
        except FileNotFoundError:
            problem = f"No server is configured and none was started in {data_dir}. Start the platform with "
            advice = "`python3 run.py serve`, or set every server variable (docs/configuration.md)."
            raise ConfigError([problem + advice]) from None
        return cls(database=note["database"], redis=note["redis"])


def generate_secret(path: Path) -> None:
    """Write a random secret of demo mode to ``path``, mode 0600, unless it exists; production refuses its mark."""
    if path.exists():
        return
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(GENERATED + secrets.token_urlsafe(32))


def demo_environment(process: Process, data_dir: Path) -> dict[str, str]:
    """Return the server variables of a process for the embedded servers and generated keys of ``data_dir``."""
    servers = EmbeddedServers.read(data_dir)
    keys = data_dir / "keys"
    everything = {
        "DATABASE_URL": servers.database.replace("ROLE", ROLES.get(process, "postgres")),
        "DATABASE_READ_URL": servers.database.replace("ROLE", READER),
        "REDIS_URL": servers.redis,
        "OBJECT_STORE_URL": (data_dir / "objects").as_uri(),
        "LOG_DIR": str(data_dir / "log"),
        "LOG_ORIGIN": (keys / "origin").read_text().strip(),
        "LOG_KEY_FILE": str(keys / "log.key"),
        "WITNESS_POLICY": str(data_dir / "witness-policy"),
        "SECRET_KEY_FILE": str(keys / "cookie.secret"),
        "ACK_KEY_FILE": str(keys / "ack.key"),
        "CONTACT_KEY_FILE": str(keys / "contact.key"),
    }
    authorities = data_dir / "time-stamps"
    if authorities.exists():
        everything["TIME_STAMPS"] = authorities.read_text()
    return {name: value for name, value in everything.items() if process in VARIABLES[name].readers}
