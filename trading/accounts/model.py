"""Memberships as records: who acts for which organisation in which role, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from trading.kernel.events import Event, EventKind

_FIELDS: Final = frozenset({"account", "jurisdiction", "org", "person", "role"})

EVENTS: Final = (
    EventKind(name="membership.granted", fields=_FIELDS, title_zh="授予岗位", title_en="Role granted"),
    EventKind(name="membership.ended", fields=_FIELDS | {"reason"}, title_zh="岗位终止", title_en="Role ended"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """One role of one account. ``person`` is a random id: the same for every account of one human being."""

    account: str
    person: str
    org: str
    role: str
    jurisdiction: str

    def body(self) -> dict[str, object]:
        """Return the members that both records share; no name stands in the log."""
        return {
            "account": self.account,
            "jurisdiction": self.jurisdiction,
            "org": self.org,
            "person": self.person,
            "role": self.role,
        }


def granted(membership: Membership) -> Event:
    """Return the event that gives a role."""
    return Event(kind="membership.granted", subject=f"account:{membership.account}", body=membership.body())


def ended(membership: Membership, reason: str) -> Event:
    """Return the event that takes a role away."""
    body = membership.body() | {"reason": reason}
    return Event(kind="membership.ended", subject=f"account:{membership.account}", body=body)


def administered(account_id: str, what: str) -> Event:
    """Return the event that staff acted on an account beside its roles: ``what`` is one word (F58)."""
    return Event(kind="config.changed", subject=f"account:{account_id}", body={"what": what})
