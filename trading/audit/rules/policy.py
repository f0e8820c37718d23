"""C2SP ``tlog-policy``: which logs and witnesses the reader believes, and how many witnesses are enough (AL1 L7.4).

From the signed times of a checkpoint the policy also gives the two instants of TE1 T7: the last time added until the
quorum is met, counted upwards and downwards.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from trading.audit.rules.note import COSIGNATURE_V1, ED25519, ML_DSA_44, VerifierKey, parse_vkey
from trading.kernel.errors import InvalidInput

MAX_LINES = 1024  # of each kind far more than the 32 that L7.4 asks for
_BLANKS = re.compile(r"[ \t]+")  # other white space, such as U+00A0, is part of a name
_THRESHOLD = re.compile(r"[1-9][0-9]{0,3}")
_LOG_KINDS = frozenset({ED25519, ML_DSA_44})
_WITNESS_KINDS = frozenset({COSIGNATURE_V1, ML_DSA_44})
_LAST_CONTROL, _DELETE = "\x1f", "\x7f"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLog:
    """A ``log`` line."""

    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownWitness:
    """A ``witness`` line; ``name`` is the policy's own word for it, not the key name."""

    name: str
    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A ``group`` line: met when at least ``threshold`` of its members are."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A parsed policy. ``groups`` are in the order of the text, so members stand before the groups that name them.

    ``quorum`` is ``None`` for ``quorum none``: then no checkpoint is ever witnessed and receipts stay LOGGED.
    """

    logs: tuple[KnownLog, ...]
    witnesses: tuple[KnownWitness, ...]
    groups: tuple[Group, ...]
    quorum: str | None

    @property
    def witness_keys(self) -> tuple[VerifierKey, ...]:
        """Return the keys of all witnesses."""
        return tuple(witness.key for witness in self.witnesses)

    def log_keys(self, origin: str) -> tuple[VerifierKey, ...]:
        """Return the keys of the log called ``origin``; more than one during a rotation (L7.5)."""
        return tuple(log.key for log in self.logs if log.key.name == origin)

    def is_met(self, cosigners: Collection[VerifierKey]) -> bool:
        """Return whether cosignatures by these keys meet the quorum."""
        if self.quorum is None:
            return False
        met = {witness.name for witness in self.witnesses if witness.key in cosigners}
        for group in self.groups:
            if sum(member in met for member in group.members) >= group.threshold:
                met.add(group.name)
        return self.quorum in met

    def t_up(self, times: Mapping[VerifierKey, int]) -> int | None:
        """Return ``T_up`` in seconds: times ascending until the quorum is met; ``None`` without a quorum (TE1 T7)."""
        return self._last_needed(sorted(times.items(), key=lambda item: item[1]))

    def t_low(self, times: Mapping[VerifierKey, int]) -> int | None:
        """Return ``T_low`` in seconds: times descending until the quorum is met; ``None`` without a quorum (TE1 T7)."""
        return self._last_needed(sorted(times.items(), key=lambda item: -item[1]))

    def _last_needed(self, ordered: Iterable[tuple[VerifierKey, int]]) -> int | None:
        cosigners: set[VerifierKey] = set()
        for key, time_s in ordered:
            cosigners.add(key)
            if self.is_met(cosigners):
                return time_s
        return None


def _fail(number: int, detail: str) -> NoReturn:
    raise InvalidInput("policy.malformed", f"line {number}: {detail}")


class _Reader:
    """Collects the lines of one policy; every name is defined before it is used."""

    def __init__(self) -> None:
        self.logs: list[KnownLog] = []
        self.witnesses: list[KnownWitness] = []
        self.groups: list[Group] = []
        self.quorums: list[str] = []
        self._names: set[str] = set()
        self._grouped: set[str] = set()
        self._keys: set[bytes] = set()
        self._key_ids: set[tuple[str, bytes]] = set()

    def line(self, number: int, items: list[str]) -> None:
        """Take one line that is neither empty nor a comment."""
        match items:
            case ["log", vkey]:
                self.logs.append(KnownLog(key=self._key(number, vkey, _LOG_KINDS)))
            case ["log", vkey, url]:
                self.logs.append(KnownLog(key=self._key(number, vkey, _LOG_KINDS), url=url))
            case ["witness", name, vkey, *urls] if len(urls) <= 1:
                self._define(number, name)
                key = self._key(number, vkey, _WITNESS_KINDS)
                self.witnesses.append(KnownWitness(name=name, key=key, url=urls[0] if urls else None))
            case ["group", name, threshold, *members] if members:
                self._group(number, name, threshold, members)
            case ["quorum", name]:
                if name != "none" and name not in self._names:
                    _fail(number, f"{name} is not defined")
                self.quorums.append(name)
            case _:
                _fail(number, "not a line of a policy")

    def _define(self, number: int, name: str) -> None:
        if name == "none" or name in self._names:
            _fail(number, f"{name} is reserved or defined twice")
        self._names.add(name)

    def _key(self, number: int, vkey: str, kinds: frozenset[int]) -> VerifierKey:
        try:
            key = parse_vkey(vkey)
        except InvalidInput as error:
            _fail(number, error.detail)
        if key.kind not in kinds:
            _fail(number, f"a key of type {key.kind:#04x} does not belong here")
        # One key, one role (P6.1): the same public key under another name or type is the same key.
        if key.public_key in self._keys or (key.name, key.key_id) in self._key_ids:
            _fail(number, f"the key of {key.name} stands twice")
        self._keys.add(key.public_key)
        self._key_ids.add((key.name, key.key_id))
        return key

    def _group(self, number: int, name: str, threshold: str, members: list[str]) -> None:
        for member in members:
            if member not in self._names:
                _fail(number, f"{member} is not defined")
            if member in self._grouped:
                _fail(number, f"{member} is a member twice")
            self._grouped.add(member)
        if threshold not in {"any", "all"} and _THRESHOLD.fullmatch(threshold) is None:
            _fail(number, "a threshold is any, all or a number")
        needed = {"any": 1, "all": len(members)}.get(threshold) or int(threshold)
        if needed > len(members):
            _fail(number, "the threshold is larger than the group")
        self._define(number, name)
        self.groups.append(Group(name=name, threshold=needed, members=tuple(members)))


def parse_policy(text: str) -> Policy:
    """Read a policy text.

    Raises:
        InvalidInput: ``policy.malformed``; the number of the line is in the text.
    """
    lines = text.split("\n")
    if len(lines) > MAX_LINES:
        raise InvalidInput("policy.malformed", f"more than {MAX_LINES} lines")
    reader = _Reader()
    for number, line in enumerate(lines, 1):
        if any((ch <= _LAST_CONTROL and ch != "\t") or ch == _DELETE for ch in line):
            _fail(number, "a control character")
        stripped = line.strip(" \t")
        if stripped and not stripped.startswith("#"):
            reader.line(number, _BLANKS.split(stripped))
    if len(reader.quorums) != 1:
        raise InvalidInput("policy.malformed", "a policy has exactly one quorum line")
    quorum = reader.quorums[0]
    return Policy(
        logs=tuple(reader.logs),
        witnesses=tuple(reader.witnesses),
        groups=tuple(reader.groups),
        quorum=None if quorum == "none" else quorum,
    )
