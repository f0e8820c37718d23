"""The frozen settings of one process, and how they are read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import unquote, urlsplit

from trading.config.checks import Context, misplaced, problems_of
from trading.config.demo import demo_environment
from trading.config.places import Place, is_s3, place_of
from trading.config.time_stamps import parse_credentials
from trading.config.variables import (
    DEFAULT_QUANTUM,
    DEFAULT_UPLOAD_DAYS,
    LEAST_MEMORY_KIB,
    LEAST_PASSES,
    VARIABLES,
    ConfigError,
    Process,
)
from trading.kernel.clock import Clock, ShiftedClock, SystemClock

DEFAULT_LISTEN = "127.0.0.1:8000"
DEMO_SENDER = "no-reply@mingbiao.example"
DEFAULT_OCID_PREFIX = "ocds-000000"  # registered for nobody: a publisher has its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one process may know. A field that its process does not read is None, or an empty ``database_url``."""

    process: Process
    demo: bool
    data_dir: Path
    database_url: str = field(repr=False)
    database_read_url: str | None = field(default=None, repr=False)
    redis_url: str | None = field(default=None, repr=False)
    object_store: Path | Place | None = None
    object_copy: Path | Place | None = None
    log_dir: Path | None = None
    log_mirror: Place | None = None
    log_origin: str
    log_key_file: Path | None = None
    log_quantum: int = DEFAULT_QUANTUM
    witness_policy: Path | None = None
    secret_key: str | None = field(default=None, repr=False)
    ack_key_file: Path | None = None
    contact_key_file: Path | None = None
    mail_url: str | None = field(default=None, repr=False)
    mail_from: str | None = None
    public_url: str | None = None
    ocid_prefix: str = DEFAULT_OCID_PREFIX
    time_stamps: str = ""
    time_stamp_credentials: Mapping[str, str] | None = field(default=None, repr=False)
    intake_url: str | None = None
    intake_vkey: str | None = None
    intake_token_file: Path | None = None
    upload_days: int = DEFAULT_UPLOAD_DAYS
    argon2_memory_kib: int = LEAST_MEMORY_KIB
    argon2_passes: int = LEAST_PASSES
    listen: str | None = None
    jurisdiction: str
    rulebook_dir: Path | None = None

    @classmethod
    def from_env(cls, process: str, environ: Mapping[str, str] | None = None) -> Settings:
        """Return the settings of a process, from the environment of this one unless ``environ`` is given.

        Raises:
            ConfigError: With every problem found, not only the first.
        """
        return _load(Process(process), os.environ if environ is None else environ)

    @property
    def shift_file(self) -> Path:
        """The file that holds the shift of demo time (P13); it exists in demo mode alone."""
        return self.data_dir / "demo-shift"

    def clock(self) -> Clock:
        """Return the clock of this process; deciding instants still come from ``log.platform_time()``."""
        return ShiftedClock(self.shift_file) if self.demo else SystemClock()

    @property
    def lacks(self) -> tuple[str, ...]:
        """What a tender runs without while this process has these settings, in whole sentences; nothing is refused."""
        if self.process is not Process.WORKER or self.demo:
            return ()
        without = {
            "TIME_STAMPS is not set: no authority stamps the log, and receipts are witnessed but never STAMPED.": (
                self.time_stamps
            ),
            "OBJECT_COPY_URL is not set: sealed parts and documents lie in one store alone.": self.object_copy,
        }
        return tuple(sentence for sentence, value in without.items() if not value)

    def described(self) -> list[tuple[str, str]]:
        """Return every value as text, secrets masked; for ``mingbiao doctor``."""
        return [(each.name, _shown(getattr(self, each.name), visible=each.repr)) for each in fields(self)]


def _load(process: Process, environ: Mapping[str, str]) -> Settings:
    surplus = list(misplaced(process, environ))
    if surplus:
        raise ConfigError(surplus)
    given = {name: value for name in VARIABLES if (value := environ.get(name)) and process in VARIABLES[name].readers}
    data_dir = Path(given.pop("DATA_DIR", "var")).absolute()
    demo = not any(VARIABLES[name].server for name in given)
    if demo:
        given |= demo_environment(process, data_dir)
    if process in VARIABLES["LISTEN"].readers:
        given.setdefault("LISTEN", DEFAULT_LISTEN)
    if demo and process in VARIABLES["PUBLIC_URL"].readers:
        given.setdefault("PUBLIC_URL", f"http://{given.get('LISTEN', DEFAULT_LISTEN)}")
    if demo and process in VARIABLES["MAIL_URL"].readers:
        given.setdefault("MAIL_URL", (data_dir / "mail").as_uri())
        given.setdefault("MAIL_FROM", DEMO_SENDER)
    problems = problems_of(given, Context(process=process, demo=demo, data_dir=data_dir))
    if problems:
        raise ConfigError(problems)
    return _settings(process, given, demo=demo, data_dir=data_dir)


def _settings(process: Process, given: Mapping[str, str], *, demo: bool, data_dir: Path) -> Settings:
    def path(name: str) -> Path | None:
        return Path(given[name]).absolute() if name in given else None

    secret, credentials = path("SECRET_KEY_FILE"), path("TIME_STAMP_CREDENTIALS_FILE")
    return Settings(
        process=process,
        demo=demo,
        data_dir=data_dir,
        database_url=given.get("DATABASE_URL", ""),
        database_read_url=given.get("DATABASE_READ_URL"),
        redis_url=given.get("REDIS_URL"),
        object_store=_store(given, "OBJECT_STORE"),
        object_copy=_store(given, "OBJECT_COPY"),
        log_dir=path("LOG_DIR"),
        log_mirror=_bucket(given, "LOG_MIRROR"),
        log_origin=given["LOG_ORIGIN"],
        log_key_file=path("LOG_KEY_FILE"),
        log_quantum=int(given.get("LOG_QUANTUM", DEFAULT_QUANTUM)),
        witness_policy=path("WITNESS_POLICY"),
        secret_key=secret.read_text().strip() if secret else None,
        ack_key_file=path("ACK_KEY_FILE"),
        contact_key_file=path("CONTACT_KEY_FILE"),
        mail_url=given.get("MAIL_URL"),
        mail_from=given.get("MAIL_FROM"),
        public_url=given.get("PUBLIC_URL"),
        ocid_prefix=given.get("OCID_PREFIX", DEFAULT_OCID_PREFIX),
        time_stamps=given.get("TIME_STAMPS", ""),
        time_stamp_credentials=parse_credentials(credentials.read_text()) if credentials else None,
        intake_url=given.get("INTAKE_URL"),
        intake_vkey=given.get("INTAKE_VKEY"),
        intake_token_file=path("INTAKE_TOKEN_FILE"),
        upload_days=int(given.get("UPLOAD_DAYS", DEFAULT_UPLOAD_DAYS)),
        argon2_memory_kib=int(given.get("ARGON2_MEMORY_KIB", LEAST_MEMORY_KIB)),
        argon2_passes=int(given.get("ARGON2_PASSES", LEAST_PASSES)),
        listen=given.get("LISTEN"),
        jurisdiction=given.get("JURISDICTION", "CN"),
        rulebook_dir=path("RULEBOOK_DIR"),
    )


def _store(given: Mapping[str, str], name: str) -> Path | Place | None:
    url = given.get(f"{name}_URL")
    return _bucket(given, name) or (Path(unquote(urlsplit(url).path)) if url else None)


def _bucket(given: Mapping[str, str], name: str) -> Place | None:
    url = given.get(f"{name}_URL", "")
    return place_of(url, Path(given[f"{name}_KEY_FILE"])) if is_s3(url) else None


def _shown(value: object, *, visible: bool) -> str:
    if value is None:
        return "–"
    return str(value) if visible else "********"
