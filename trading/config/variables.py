"""The variables of the environment: who reads each, which are secret, which mean real servers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Process(StrEnum):
    """The programs of the platform that read settings; each has its own database role and its own secrets."""

    RELEASE = "release"
    WEB = "web"
    WORKER = "worker"
    SEQUENCER = "sequencer"
    CONTACT = "contact"  # maps a drawn index to a person, and mails
    CLOCK = "clock"
    AUDITOR = "auditor"  # fsck, verify-audit and the other read-only checks
    MIRROR = "mirror"  # copies the public log into a bucket; has no database and no key of the log


class ConfigError(Exception):
    """The process must not start with these settings. ``problems`` are whole sentences."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable of the environment.

    ``readers`` are the processes that use it. ``server`` says that setting it means real servers, so that all of the
    process's server variables must be set. A ``secret`` one is refused in every process that is not a reader.
    """

    readers: frozenset[Process]
    server: bool = False
    secret: bool = False


#: What hashing a password costs at least: OWASP's first recommendation for argon2id with one lane.
LEAST_MEMORY_KIB = 19_456
LEAST_PASSES = 2
#: Entries a minute of the public head: by default, and at most (AL1 L6, the batch of L5.5 twice).
DEFAULT_QUANTUM = 64
MOST_QUANTUM = 10_000
#: Days for which a part on its way is kept after its last chunk: by default, and at most.
DEFAULT_UPLOAD_DAYS = 7
MOST_UPLOAD_DAYS = 90

_EVERY = frozenset(Process)
_DATABASE_USERS = _EVERY - {Process.MIRROR}
_LOG_READERS = frozenset({Process.WEB, Process.WORKER, Process.SEQUENCER, Process.AUDITOR, Process.MIRROR})
_RINGERS = frozenset({Process.WEB, Process.WORKER, Process.CLOCK})
_OBJECT_USERS = frozenset({Process.WEB, Process.WORKER, Process.AUDITOR})
_MIRROR_USERS = frozenset({Process.AUDITOR, Process.MIRROR})

VARIABLES: Mapping[str, Variable] = {
    "DATA_DIR": Variable(readers=_EVERY),
    "DATABASE_URL": Variable(readers=_DATABASE_USERS, server=True, secret=True),
    "DATABASE_READ_URL": Variable(readers=frozenset({Process.WEB}), server=True, secret=True),
    "REDIS_URL": Variable(readers=_RINGERS, server=True, secret=True),
    "OBJECT_STORE_URL": Variable(readers=_OBJECT_USERS, server=True),
    "OBJECT_STORE_KEY_FILE": Variable(readers=_OBJECT_USERS, secret=True),
    "OBJECT_COPY_URL": Variable(readers=_OBJECT_USERS),
    "OBJECT_COPY_KEY_FILE": Variable(readers=_OBJECT_USERS, secret=True),
    "LOG_DIR": Variable(readers=_LOG_READERS, server=True),
    "LOG_MIRROR_URL": Variable(readers=_MIRROR_USERS),
    "LOG_MIRROR_KEY_FILE": Variable(readers=_MIRROR_USERS, secret=True),
    "LOG_ORIGIN": Variable(readers=_EVERY, server=True),
    "LOG_KEY_FILE": Variable(readers=frozenset({Process.SEQUENCER}), server=True, secret=True),
    "WITNESS_POLICY": Variable(readers=_LOG_READERS, server=True),
    "SECRET_KEY_FILE": Variable(readers=frozenset({Process.WEB}), server=True, secret=True),
    "ACK_KEY_FILE": Variable(readers=frozenset({Process.WEB}), server=True, secret=True),
    "CONTACT_KEY_FILE": Variable(readers=frozenset({Process.CONTACT}), server=True, secret=True),
    "MAIL_URL": Variable(readers=frozenset({Process.CONTACT}), secret=True),
    "MAIL_FROM": Variable(readers=frozenset({Process.CONTACT})),
    "PUBLIC_URL": Variable(readers=frozenset({Process.WEB, Process.WORKER, Process.CONTACT})),
    "OCID_PREFIX": Variable(readers=frozenset({Process.WEB, Process.WORKER})),
    "INTAKE_URL": Variable(readers=frozenset({Process.WEB, Process.WORKER})),
    "INTAKE_VKEY": Variable(readers=frozenset({Process.WEB, Process.WORKER})),
    "INTAKE_TOKEN_FILE": Variable(readers=frozenset({Process.WORKER}), secret=True),
    "TIME_STAMPS": Variable(readers=frozenset({Process.WORKER})),
    "TIME_STAMP_CREDENTIALS_FILE": Variable(readers=frozenset({Process.WORKER}), secret=True),
    "UPLOAD_DAYS": Variable(readers=frozenset({Process.WEB, Process.WORKER})),
    "LISTEN": Variable(readers=frozenset({Process.WEB})),
    "LOG_QUANTUM": Variable(readers=frozenset({Process.SEQUENCER})),
    "ARGON2_MEMORY_KIB": Variable(readers=frozenset({Process.WEB})),
    "ARGON2_PASSES": Variable(readers=frozenset({Process.WEB})),
    "JURISDICTION": Variable(readers=_EVERY),
    "RULEBOOK_DIR": Variable(readers=_EVERY),
}

READER = "trading_reader"
ROLES = {
    Process.WEB: "trading_web",
    Process.WORKER: "trading_worker",
    Process.SEQUENCER: "trading_sequencer",
    Process.CONTACT: "trading_contact",
    Process.CLOCK: "trading_clock",
    Process.AUDITOR: "trading_auditor",
}  # the release migrates, so it logs in as a role that may become trading_owner
