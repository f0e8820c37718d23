"""Who an expert is, as sealed to the contact service: name, mail, phone, employer, account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from typing_extensions import override

from trading.kernel import fields
from trading.kernel.digests import EXPERTS_IDENTITY


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A person. Never printed: only the contact service may know (security 12)."""

    name: str
    mail: str
    phone: str
    employer: str
    account: str | None = None

    @override
    def __repr__(self) -> str:
        """Name nobody."""
        return "Identity(…)"

    def encode(self) -> bytes:
        """Return the bytes that are sealed."""
        return IDENTITY.write({name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def decode(cls, data: bytes) -> Identity:
        """Return what ``encode`` wrote; raises ``InvalidInput`` for anything else."""
        return cls(**IDENTITY.read(data))


IDENTITY: Final = fields.Table(
    "mb.expert-identity",
    {
        "account": fields.nullable(fields.text),
        "employer": fields.text,
        "mail": fields.matching(r"[^@\s]{1,64}@[^@\s]{1,190}"),
        "name": fields.text,
        "phone": fields.matching(r"[0-9+ -]{0,32}"),
    },
    limit=8192,
)


def identity_info(expert_id: str) -> bytes:
    """Return what the sealing binds to: one pool number, so that sealed identities cannot be exchanged."""
    return EXPERTS_IDENTITY.encode() + b"\0" + expert_id.encode("ascii")
