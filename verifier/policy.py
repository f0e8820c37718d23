"""The C2SP tlog-policy of a trust file: log keys, witnesses, groups, quorum; and what a note proves under it (L7.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm

from verifier.notes import (
    KEY_COSIGNATURE,
    KEY_ED25519,
    Checkpoint,
    Cosigned,
    NoteFault,
    NoteKey,
    parse_checkpoint,
    parse_note,
    parse_vkey,
    verify_line,
)

POLICY_THRESHOLD = re.compile(r"[1-9][0-9]{0,5}\Z")


class PolicyFault(ValueError):
    """The policy text breaks a rule of the format."""


@dataclass
class LogPolicy:
    """Known log and witness keys, groups as ``name -> (threshold, members)``, and the name of the quorum."""

    logs: list[NoteKey] = field(default_factory=list)
    witnesses: dict[str, NoteKey] = field(default_factory=dict)
    groups: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    quorum: str | None = None

    def met_by(self, keys: set[bytes]) -> bool:
        """Return whether cosignatures of these public keys satisfy the quorum; ``quorum none`` is never satisfied."""
        return self.quorum not in (None, "none") and self._met(str(self.quorum), keys)

    def _met(self, name: str, keys: set[bytes]) -> bool:
        if name in self.witnesses:
            return self.witnesses[name].public in keys
        threshold, members = self.groups[name]
        return sum(self._met(member, keys) for member in members) >= threshold


@dataclass(frozen=True)
class SignedCheckpoint:
    """A checkpoint whose log signature and every known line verified.

    ``t_up`` and ``t_low`` are the quorum times of TE1 T7 in seconds, ``None`` without a quorum. ``unverified`` names
    keys whose algorithm the installed library lacks.
    """

    checkpoint: Checkpoint
    text: str
    cosigned: list[Cosigned]
    t_up: int | None
    t_low: int | None
    unverified: list[str]

    @property
    def witnessed(self) -> bool:
        """Return whether a quorum of witnesses cosigned it."""
        return self.t_up is not None


def parse_log_policy(text: str) -> LogPolicy:
    """Read a policy file; nested groups, ``any``, ``all`` and numbers are supported.

    Raises:
        PolicyFault: A duplicate name or key, an undefined member, a bad threshold, not exactly one quorum line.
    """
    policy = LogPolicy()
    used: set[str] = set()
    for line in text.split("\n"):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            _policy_line(policy, words, used)
        except NoteFault as error:
            raise PolicyFault(str(error)) from error
    if policy.quorum is None:
        raise PolicyFault("policy without a quorum line")
    return policy


def _policy_line(policy: LogPolicy, words: list[str], used: set[str]) -> None:
    kind, defined = words[0], policy.witnesses.keys() | policy.groups.keys()
    if kind == "log" and len(words) in (2, 3):
        key = parse_vkey(words[1])
        if key.type == KEY_COSIGNATURE or key.public in [known.public for known in policy.logs]:
            raise PolicyFault("the same log key twice, or a cosignature key as log key")
        policy.logs.append(key)
    elif kind == "witness" and len(words) in (3, 4):
        key = parse_vkey(words[2])
        known_keys = [known.public for known in policy.witnesses.values()]
        if words[1] in defined or words[1] == "none" or key.public in known_keys or key.type == KEY_ED25519:
            raise PolicyFault(f"witness {words[1]}: name or key is not new, or the key is not a cosignature key")
        policy.witnesses[words[1]] = key
    elif kind == "group" and len(words) >= 4:
        members = words[3:]
        if words[1] in defined or words[1] == "none" or len(set(members)) != len(members):
            raise PolicyFault(f"group {words[1]}: name or member is not new")
        if set(members) - defined or set(members) & used:
            raise PolicyFault(f"group {words[1]}: a member is not defined before, or is in another group")
        used.update(members)
        policy.groups[words[1]] = (_threshold(words[2], len(members)), members)
    elif kind == "quorum" and len(words) == 2 and policy.quorum is None:
        if words[1] != "none" and words[1] not in defined:
            raise PolicyFault("the quorum is not defined before")
        policy.quorum = words[1]
    else:
        raise PolicyFault(f"line {kind[:20]!r} is unknown, repeated or malformed")


def _threshold(word: str, count: int) -> int:
    value = {"any": 1, "all": count}.get(word) or (int(word) if POLICY_THRESHOLD.match(word) else 0)
    if not 1 <= value <= count:
        raise PolicyFault(f"threshold {word[:20]!r} of {count}")
    return value


def verify_checkpoint(data: bytes, policy: LogPolicy, origin: str) -> SignedCheckpoint:
    """Check a checkpoint note under a policy (AL1 L1.3, L8.3): lines of unknown keys are ignored.

    Raises:
        NoteFault: Malformed, another origin, no Ed25519 signature of the log, a known line that fails or stands twice.
    """
    note = parse_note(data)
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != origin:
        raise NoteFault(f"origin {checkpoint.origin[:80]!r} instead of {origin!r}")
    logs = [key for key in policy.logs if key.name == origin]
    known = {(key.name, key.id): key for key in [*logs, *policy.witnesses.values()]}
    seen, cosigned, unverified, by_log = set(), [], [], False
    for name, key_id, signature in note.lines:
        key = known.get((name, key_id))
        if key is None:
            continue
        if key in seen:
            raise NoteFault(f"two signature lines of {name}")
        seen.add(key)
        try:
            time = verify_line(key, note, signature)
        except UnsupportedAlgorithm:
            unverified.append(name)
            continue
        if key in logs:
            by_log = by_log or key.type == KEY_ED25519
        else:
            cosigned.append(Cosigned(key, time))
    if not by_log:
        raise NoteFault("no signature of the log")
    return SignedCheckpoint(
        checkpoint, note.text, cosigned, quorum_time(policy, cosigned), quorum_time(policy, cosigned, -1), unverified
    )


def quorum_time(policy: LogPolicy, cosigned: list[Cosigned], direction: int = 1) -> int | None:
    """Return ``T_up`` (ascending) or ``T_low`` (``direction`` −1, descending): the time at which the quorum is met."""
    timed = [(line.time or 0, line.key.public) for line in cosigned]
    keys: set[bytes] = set()
    for time, public in sorted(timed, key=lambda pair: direction * pair[0]):
        keys.add(public)
        if policy.met_by(keys):
            return time
    return None
