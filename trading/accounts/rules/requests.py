"""What may be asked of the service desk, and the form of each request. Two different people decide (P6.2 item 3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from trading.kernel.credit_code import is_credit_code
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Role


class RequestKind(StrEnum):
    """What is asked for."""

    ORGANISATION = "organisation"  # by an applicant without an account
    USER = "user"  # one more account of the asker's organisation
    SETUP = "setup"  # a link to set password and second factor, after everything was lost or for a new account
    KEY = "key"  # a device key whose possession is proved


#: Roles an organisation may register in → the role of its first account.
FIRST_ROLE: Final = {
    "bidder": Role.BIDDER,
    "agency": Role.AGENCY,
    "supervisor": Role.SUPERVISOR,
    "authority": Role.AUTHORITY,
    "centre": Role.CENTRE,
    "custodian": Role.CUSTODIAN,
}
#: Roles that colleagues may ask for; the desk itself, experts and operators come another way.
COLLEAGUES: Final = {
    Role.BIDDER: (Role.BIDDER,),
    Role.AGENCY: (Role.AGENCY, Role.REVIEWER),
    Role.REVIEWER: (Role.AGENCY, Role.REVIEWER),
    Role.SUPERVISOR: (Role.SUPERVISOR, Role.AUDITOR),
    Role.AUTHORITY: (Role.AUTHORITY,),
    Role.CENTRE: (Role.CENTRE, Role.DESK),
    Role.CUSTODIAN: (Role.CUSTODIAN,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; ``body`` as its kind says; instants in ms of the real clock."""

    id: str
    kind: RequestKind
    subject: str
    asked_by: str | None
    body: dict[str, Any]
    created_at: int
    first_by: str | None
    state: str


def require_credit_code(code: str) -> None:
    """Refuse a unified social credit code whose check character does not fit (GB 32100-2015).

    Raises:
        RuleBroken: ``organisation.code_wrong``.
    """
    if not is_credit_code(code):
        raise RuleBroken("organisation.code_wrong", None, value=code)


def require_two_people(*, asker: str | None, first: str | None, second: str | None) -> None:
    """Refuse a decision by the person who asked, or by one person twice; persons, not accounts, are compared.

    Raises:
        RuleBroken: ``request.own``, ``request.same_person``.
    """
    if second is not None and second == asker:
        raise RuleBroken("request.own", "P6.2")
    if second is not None and second == first:
        raise RuleBroken("request.same_person", "P6.2")
