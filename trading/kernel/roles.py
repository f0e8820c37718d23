"""Who acts: roles of people and of organisations, and the actor of one act."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """What an account may be; a permission names these (security 9.1)."""

    BIDDER = "bidder"
    AGENCY = "agency"  # drafts and signs for the buyer
    REVIEWER = "reviewer"  # second person of the agency: approves what another drafted
    SUPERVISOR = "supervisor"
    AUTHORITY = "authority"  # regulator of an industry: qualifies, suspends and disciplines experts
    CUSTODIAN = "custodian"
    AUDITOR = "auditor"
    EXPERT = "expert"  # evaluates; drawn by lot, unknown until the result
    CENTRE = "centre"  # staff of the trading centre: keeps the pool, runs draws
    ADMIN = "admin"  # operates the system; sees no sealed data and sets no password
    DESK = "desk"  # service desk of the centre: organisations, accounts, keys; always two people
    SYSTEM = "system"  # a process of the platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, for whom. ``account`` is an account id, ``system:<process>`` or ``party:<kid>`` (AL1 L1.1)."""

    account: str
    roles: frozenset[Role] = field(default_factory=frozenset)
    organisation: str | None = None  # unified social credit code

    @classmethod
    def system(cls, process: str) -> Actor:
        """Return the actor of a process of the platform."""
        return cls(account=f"system:{process}", roles=frozenset({Role.SYSTEM}))

    @classmethod
    def party(cls, kid: str, organisation: str | None = None) -> Actor:
        """Return the actor that is known only by the key that signed what it sent."""
        return cls(account=f"party:{kid}", organisation=organisation)
