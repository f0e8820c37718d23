"""What each variable must look like. A check yields sentences for the person who starts the process."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from trading.config.demo import GENERATED
from trading.config.places import faults_of, is_key, is_s3
from trading.config.time_stamps import LOOPBACK, problems_of_authorities, problems_of_credentials
from trading.config.variables import (
    LEAST_MEMORY_KIB,
    LEAST_PASSES,
    MOST_QUANTUM,
    MOST_UPLOAD_DAYS,
    READER,
    ROLES,
    VARIABLES,
    Process,
)

# Names that other programs read and that would weaken this one, or that put a secret where every child process sees it.
_FORBIDDEN = {
    "SECRET_KEY": "Put the secret into a file and name it in SECRET_KEY_FILE.",
    "FLASK_DEBUG": "The debugger runs code for whoever finds it.",
    "CRASH_AT": "Crash hooks belong to tests.",
}
_NOTE_SIGNING_KEY = "PRIVATE+KEY+"  # how a C2SP note signing key begins
_SECRET_CHARACTERS = 32
_SECRET_VARIETY = 12
_PASSWORD_CHARACTERS = 16
_DEMO_ORIGIN = "demo."
_OCID_PREFIX = re.compile(r"ocds-[a-z0-9]{6}\Z")
# No server variables, because a demonstration may set them; with real servers nothing stands in for them.
_ALSO_REQUIRED = frozenset({"PUBLIC_URL", "MAIL_URL", "MAIL_FROM"})


def misplaced(process: Process, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield what must not be in the environment of this process: a key of another one above all."""
    for name, reason in _FORBIDDEN.items():
        if environ.get(name):
            yield f"{name} is refused. {reason}"
    for name, variable in VARIABLES.items():
        if variable.secret and process not in variable.readers and environ.get(name):
            yield f"{name} is set, but the process {process} must not hold it."
    for name, value in environ.items():
        if _NOTE_SIGNING_KEY in value:
            yield f"{name} holds a signing key in clear. Keys belong in files that only their process can read."


def missing(process: Process, given: Mapping[str, str]) -> Iterator[str]:
    """Yield the variables that this process needs and does not have."""
    for name, variable in VARIABLES.items():
        required = variable.server or name in _ALSO_REQUIRED
        if required and process in variable.readers and name not in given:
            yield f"{name} is not set. With real servers every server variable must be set; it is all or none."


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a check may depend on besides the value."""

    process: Process
    demo: bool
    data_dir: Path


def _check_database(name: str, value: str, context: Context) -> Iterator[str]:
    url = urlsplit(value)
    if not url.scheme.startswith("postgresql"):
        yield f"{name} must be a postgresql:// address."
        return
    role = READER if name == "DATABASE_READ_URL" else ROLES.get(context.process)
    if role is not None and url.username != role:
        yield f"{name} must log in as {role}, the role of the process {context.process}, and as no other."
    if url.password is not None and len(url.password) < _PASSWORD_CHARACTERS:
        yield f"{name} has a password of less than {_PASSWORD_CHARACTERS} characters."
    if url.hostname is not None and url.hostname not in LOOPBACK and "sslmode=verify-full" not in url.query:
        yield f"{name} leaves this machine, so it needs sslmode=verify-full."


def _check_redis(name: str, value: str, context: Context) -> Iterator[str]:
    del context
    url = urlsplit(value)
    if url.scheme not in {"redis", "rediss", "unix"}:
        yield f"{name} must be a rediss://, redis:// or unix:// address."
    elif url.scheme == "redis" and url.hostname not in LOOPBACK:
        yield f"{name} leaves this machine, so it needs rediss://."


def _check_store(name: str, value: str, context: Context) -> Iterator[str]:
    del context
    url = urlsplit(value)
    if is_s3(value):
        yield from (f"{name} {fault}" for fault in faults_of(value))
    elif url.scheme != "file" or url.netloc or not url.path.startswith("/"):
        yield f"{name} must be file:///<directory> or s3://<bucket>?endpoint=https://<host>."


def _check_mirror(name: str, value: str, context: Context) -> Iterator[str]:
    if context.demo:
        yield f"{name} is set, but a demonstration has no public head that could be copied."
    elif not is_s3(value):
        yield f"{name} must be s3://<bucket>?endpoint=https://<host>."
    else:
        yield from (f"{name} {fault}" for fault in faults_of(value))


def _check_origin(name: str, value: str, context: Context) -> Iterator[str]:
    if value.startswith(_DEMO_ORIGIN) != context.demo:
        yield f"{name} begins with {_DEMO_ORIGIN} in a demonstration and never elsewhere (P13)."


def _check_mail_url(name: str, value: str, context: Context) -> Iterator[str]:
    url = urlsplit(value)
    if url.scheme == "file":
        if not context.demo:
            yield f"{name} is a folder, which only a demonstration may use."
    elif url.scheme not in {"smtp", "smtps"} or not url.hostname:
        yield f"{name} must be an smtp:// or smtps:// address."
    elif url.username and url.hostname not in LOOPBACK and len(url.password or "") < _PASSWORD_CHARACTERS:
        yield f"{name} has a password of less than {_PASSWORD_CHARACTERS} characters."


def _check_mail_from(name: str, value: str, context: Context) -> Iterator[str]:
    del context
    if value.count("@") != 1 or any(character.isspace() for character in value):
        yield f"{name} must be one mail address."


def _check_public_url(name: str, value: str, context: Context) -> Iterator[str]:
    url = urlsplit(value)
    if url.path not in {"", "/"} or url.query or url.fragment or not url.hostname:
        yield f"{name} is scheme, host and port alone, such as https://ggzy.example.gov.cn."
    elif context.demo and url.hostname not in LOOPBACK:
        yield f"{name} must be a loopback address while no real server is configured."
    elif not context.demo and url.scheme != "https":
        yield f"{name} must begin with https://."


def _check_ocid_prefix(name: str, value: str, context: Context) -> Iterator[str]:
    del context
    if not _OCID_PREFIX.match(value):
        yield f"{name} is ocds- and the six characters that were registered for the publisher."


def _check_time_stamps(name: str, value: str, context: Context) -> Iterator[str]:
    yield from problems_of_authorities(name, value, demo=context.demo)


def _check_argon2(name: str, value: str, context: Context) -> Iterator[str]:
    del context
    least = LEAST_MEMORY_KIB if name == "ARGON2_MEMORY_KIB" else LEAST_PASSES
    if not (value.isascii() and value.isdigit()) or int(value) < least:
        yield f"{name} is a whole number of at least {least}: a cheaper hash of a password is guessed sooner."


def _check_quantum(name: str, value: str, context: Context) -> Iterator[str]:
    del context
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= MOST_QUANTUM):
        yield f"{name} is a whole number from 1 to {MOST_QUANTUM}: entries by which the public head grows in a minute."


def _check_upload_days(name: str, value: str, context: Context) -> Iterator[str]:
    del context
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= MOST_UPLOAD_DAYS):
        yield f"{name} is a whole number from 1 to {MOST_UPLOAD_DAYS}: days until an unfinished upload is removed."


def _check_listen(name: str, value: str, context: Context) -> Iterator[str]:
    url = urlsplit(f"//{value}")
    try:
        port = url.port
    except ValueError:
        port = None
    if port is None:
        yield f"{name} is host:port, such as 127.0.0.1:8000."
    elif context.demo and url.hostname not in LOOPBACK:
        yield f"{name} must be a loopback address while no real server is configured."


def _check_secret(name: str, value: str, context: Context) -> Iterator[str]:
    yield from _check_key_file(name, value, context)
    path = Path(value)
    if not path.is_file():
        return
    secret = path.read_text(errors="replace").strip()
    if len(secret) < _SECRET_CHARACTERS or len(set(secret)) < _SECRET_VARIETY:
        yield f"{name}: {value} is too weak; it needs {_SECRET_CHARACTERS} random characters."
    if secret.startswith(GENERATED) and not context.demo:
        yield f"{name}: {value} was generated for a demonstration."


def _check_key_file(name: str, value: str, context: Context) -> Iterator[str]:
    path = Path(value)
    if not path.is_file():
        yield f"{name}: {value} is no file."
    elif stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield f"{name}: {value} must be readable by its owner alone (mode 0600)."
    elif not context.demo and path.resolve().is_relative_to((context.data_dir / "keys").resolve()):
        yield f"{name}: {value} was generated for a demonstration."


def _check_access_key(name: str, value: str, context: Context) -> Iterator[str]:
    faults = list(_check_key_file(name, value, context))
    yield from faults
    if not faults and not is_key(Path(value).read_text(errors="replace")):
        yield f"{name}: {value} must hold two lines: the access key and its secret."


def _check_file(name: str, value: str, context: Context) -> Iterator[str]:
    del context
    if not Path(value).is_file():
        yield f"{name}: {value} is no file."


def _check_directory(name: str, value: str, context: Context) -> Iterator[str]:
    del context
    if not Path(value).is_dir():
        yield f"{name}: {value} is no directory."


def _check_intake(name: str, value: str, context: Context) -> Iterator[str]:
    url = urlsplit(value)
    folder = url.scheme == "file" and not url.netloc and url.path.startswith("/")
    here = url.scheme == "http" and url.hostname in LOOPBACK
    if not folder and not here and (url.scheme != "https" or not url.hostname):
        yield f"{name} must be https://<host>, or file:///<folder> where lists are carried."
    elif context.demo and not folder and not here:
        yield f"{name} must be a loopback address while no real server is configured."


def _accept(name: str, value: str, context: Context) -> Iterator[str]:
    del name, value, context
    yield from ()


CREDENTIALS: Final = "TIME_STAMP_CREDENTIALS_FILE"
_CHECKS: Mapping[str, Callable[[str, str, Context], Iterable[str]]] = {
    "DATABASE_URL": _check_database,
    "DATABASE_READ_URL": _check_database,
    "REDIS_URL": _check_redis,
    "OBJECT_STORE_URL": _check_store,
    "OBJECT_STORE_KEY_FILE": _check_access_key,
    "OBJECT_COPY_URL": _check_store,
    "OBJECT_COPY_KEY_FILE": _check_access_key,
    "LOG_MIRROR_URL": _check_mirror,
    "LOG_MIRROR_KEY_FILE": _check_access_key,
    "LOG_DIR": _accept,  # the sequencer makes it
    "LOG_ORIGIN": _check_origin,
    "LOG_KEY_FILE": _check_key_file,
    "WITNESS_POLICY": _check_file,
    "SECRET_KEY_FILE": _check_secret,
    "ACK_KEY_FILE": _check_key_file,
    "CONTACT_KEY_FILE": _check_key_file,
    "MAIL_URL": _check_mail_url,
    "MAIL_FROM": _check_mail_from,
    "PUBLIC_URL": _check_public_url,
    "OCID_PREFIX": _check_ocid_prefix,
    "LOG_QUANTUM": _check_quantum,
    "ARGON2_MEMORY_KIB": _check_argon2,
    "ARGON2_PASSES": _check_argon2,
    "TIME_STAMPS": _check_time_stamps,
    CREDENTIALS: _check_key_file,  # what it says is compared with TIME_STAMPS
    "INTAKE_URL": _check_intake,
    "INTAKE_VKEY": _accept,  # the name and key of its log; what the schedules name is compared with it
    "INTAKE_TOKEN_FILE": _check_secret,
    "UPLOAD_DAYS": _check_upload_days,
    "LISTEN": _check_listen,
    "JURISDICTION": _accept,  # the rule book knows the codes
    "RULEBOOK_DIR": _check_directory,
}


def _intake_faults(process: Process, given: Mapping[str, str]) -> Iterator[str]:
    """Yield what is missing where the supervisor's intake is named: address, key and, for the worker, token."""
    needed = ["INTAKE_URL", "INTAKE_VKEY"]
    if process is Process.WORKER and not given.get("INTAKE_URL", "").startswith("file:"):
        needed.append("INTAKE_TOKEN_FILE")
    if any(name in given for name in (*needed, "INTAKE_TOKEN_FILE")):
        yield from (f"{name} is not set, but the supervisor's intake is named." for name in needed if name not in given)


def _unpaired(given: Mapping[str, str]) -> Iterator[str]:
    """Yield addresses of object storage without their keys, and keys without their addresses: all or none."""
    for store in ("OBJECT_STORE", "OBJECT_COPY", "LOG_MIRROR"):
        url, key = f"{store}_URL", f"{store}_KEY_FILE"
        if is_s3(given.get(url, "")) and key not in given:
            yield f"{key} is not set. {url} is in object storage, so its access key is needed."
        elif key in given and not is_s3(given.get(url, "")):
            yield f"{key} is set, but {url} names no object storage."


def _same_place(given: Mapping[str, str]) -> Iterator[str]:
    """Yield a second store that is the first one: it would be called a copy and be none."""
    first, second = (given.get(f"{store}_URL") for store in ("OBJECT_STORE", "OBJECT_COPY"))
    if first is not None and second is not None and _place(first) == _place(second):
        yield "OBJECT_COPY_URL names the same place as OBJECT_STORE_URL; a copy lies elsewhere."


def _place(url: str) -> tuple[str, str, str]:
    parts = urlsplit(url)
    endpoint = next((value for value in parts.query.split("&") if value.startswith("endpoint=")), "")
    path = str(Path(unquote(parts.path)).resolve()) if parts.scheme == "file" else parts.path.strip("/")
    return endpoint, parts.netloc, path


def problems_of(given: Mapping[str, str], context: Context) -> list[str]:
    """Return every problem of the variables that a process reads, missing ones included."""
    problems = [*missing(context.process, given), *_unpaired(given), *_same_place(given)]
    problems += _intake_faults(context.process, given)
    for name, value in given.items():
        problems += _CHECKS[name](name, value, context)
    if CREDENTIALS in given and Path(given[CREDENTIALS]).is_file():
        text = Path(given[CREDENTIALS]).read_text(errors="replace")
        problems += problems_of_credentials(CREDENTIALS, text, given.get("TIME_STAMPS"))
    if (
        not context.demo
        and context.process is not Process.SEQUENCER
        and (context.data_dir / "keys" / "log.key").exists()
    ):
        problems.append(f"DATA_DIR holds a log key, and the process {context.process} must not find one.")
    return problems
