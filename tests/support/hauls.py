"""Everything that a thief of the server has, and every way to a plaintext that it could try with some custodians' keys.

The haul is taken as it lies: each value of each row of each table, each file of the object store. Whatever in it could
be a secret of 32 bytes, as bytes, in hexadecimal or in base64url, is tried as every secret of a bid (SB1 S4.2 to S4.4).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, combinations
from pathlib import Path
from typing import Final, TypeAlias

from sqlalchemy import Connection

from trading.bids.rules.envelope import Envelope, parse_envelope
from trading.crypto.envelope import decrypt_part, derive_identity, identity_string
from trading.crypto.keys import XWingPrivateKey, share_info
from trading.crypto.shares import combine, commit_factor, commit_seed
from trading.kernel.encoding import b64u_decode
from trading.kernel.errors import InvalidInput

Keys: TypeAlias = dict[int, XWingPrivateKey]  # of custodians, by their index

SECRET: Final = 32
_HEX: Final = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_B64U: Final = re.compile(rb"(?<![\w-])[\w-]{43}(?![\w-])")
_COLUMNS: Final = """
    SELECT c.table_schema, c.table_name, c.column_name
      FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
     WHERE t.table_type = 'BASE TABLE' AND c.table_schema NOT IN ('pg_catalog', 'information_schema')
"""


@dataclass
class Haul:
    """The whole database and object store; ``values`` are the single values of the database."""

    values: list[bytes] = field(default_factory=list)
    objects: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def take(cls, superuser: Connection, objects: Path) -> Haul:
        haul = cls()
        for schema, table, column in superuser.exec_driver_sql(_COLUMNS).all():
            rows = superuser.exec_driver_sql(f'SELECT "{column}" FROM "{schema}"."{table}"').scalars()  # noqa: S608 - names of the catalogue
            haul.values += [bytes(row) if isinstance(row, bytes | memoryview) else str(row).encode() for row in rows]
        for path in objects.rglob("*"):
            if path.is_file():
                haul.objects[path.name] = path.read_bytes()
        return haul

    @property
    def envelopes(self) -> list[Envelope]:
        """Return every sealed bid in it."""
        return [parse_envelope(value) for value in set(self.values) if b'"typ":"sb1.envelope"' in value[-64:]]

    @property
    def secrets(self) -> set[bytes]:
        """Return whatever has the length of a secret."""
        found = {value for value in self.values if len(value) == SECRET}
        found |= {value[:SECRET] for value in self.values if len(value) == SECRET + 1}
        for value in chain(self.values, self.objects.values()):
            found |= {bytes.fromhex(text.decode()) for text in _HEX.findall(value)}
            found |= set(_decoded(_B64U.findall(value)))
        return found

    def holds(self, text: bytes) -> bool:
        """Return whether a plaintext lies somewhere in it."""
        return any(text in value for value in chain(self.values, self.objects.values()))


def _decoded(texts: Iterable[bytes]) -> Iterator[bytes]:
    for text in texts:
        try:
            found = b64u_decode(text.decode())
        except ValueError:
            continue
        if len(found) == SECRET:
            yield found


@dataclass
class Attack:
    """What a thief with the haul tries; ``extra`` are secrets that it has besides, such as revealed factors."""

    haul: Haul
    extra: frozenset[bytes] = frozenset()

    def __post_init__(self) -> None:
        self.envelopes = self.haul.envelopes
        self.secrets = self.haul.secrets | self.extra
        self.tried = 0

    def read(self, keys: Keys) -> int:
        """Return how many bytes of plaintext it reads with these custodians' keys."""
        return sum(self._read(envelope, keys) for envelope in self.envelopes)

    def read_directly(self) -> int:
        """Return how many bytes open to a secret of the haul as it lies, as the identity of a part."""
        names = {part.sha256 for envelope in self.envelopes for part in envelope.parts}
        return sum(self._open(identity_string(secret), name) for secret in self.secrets for name in names)

    def _read(self, envelope: Envelope, keys: Keys) -> int:
        ctx = envelope.context.bytes()
        shares = list(self._shares(envelope, keys))
        factors = {b"", *(each for each in self.secrets if commit_factor(each, ctx) == envelope.factor_commit)}
        candidates = {share[:SECRET] for share in shares}
        for size in range(2, len(shares) + 1):
            candidates |= {combine(chosen) for chosen in combinations(shares, size)}
        # What the commitment says is no secret of this bid is not tried any further, but for what its shares give.
        candidates |= {each for each in self.secrets for s_b in factors if self._fits(envelope, each, s_b)}
        found = 0
        for part in envelope.parts:
            identities = {
                derive_identity(s_c, s_b, ctx, name)
                for s_c in candidates
                for s_b in factors
                for name in ("main", "price")
            }
            found += max((self._open(identity, part.sha256) for identity in identities), default=0)
        return found

    @staticmethod
    def _fits(envelope: Envelope, s_c: bytes, s_b: bytes) -> bool:
        return commit_seed(s_c, s_b, envelope.context.bytes()) == envelope.seed_commit

    @staticmethod
    def _shares(envelope: Envelope, keys: Keys) -> Iterator[bytes]:
        """Yield what the keys open: each its own share, and none any other."""
        ctx = envelope.context.bytes()
        for key in keys.values():
            for share in envelope.shares:
                try:
                    yield key.open(share_info(share.i, ctx), share.ct)
                except InvalidInput:
                    continue

    def _open(self, identity: str, name: str) -> int:
        self.tried += 1
        try:
            return len(decrypt_part(identity, self.haul.objects[name]))
        except InvalidInput:
            return 0
