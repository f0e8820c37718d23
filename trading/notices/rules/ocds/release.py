"""One release: the picture of a procedure at one published entry."""

from __future__ import annotations

from typing import Any, Final

from trading.notices.rules.ocds.awards import awards, contracts, suppliers_of
from trading.notices.rules.ocds.bids import bidders_of, bids
from trading.notices.rules.ocds.case import Case
from trading.notices.rules.ocds.tender import tender
from trading.notices.rules.ocds.terms import SCHEME, both, date_time, ocid, party_id, reference_to, release_id

# Of the closed codelist releaseTag, which knows no bids: an opening is an update of the tender.
_TAGS: Final = {
    "answer.published": "tenderUpdate",
    "contract.published": "contract",
    "failure.published": "tenderUpdate",
    "lot.failed": "tenderUpdate",
    "opening.completed": "tenderUpdate",
    "procedure.cancelled": "tenderCancellation",
    "tender.changed": "tenderAmendment",
    "tender.published": "tender",
}


def release(case: Case) -> dict[str, Any]:
    """Return the release of ``case.published``; its date is the instant of that record."""
    own = ocid(case.prefix, case.reference)
    return {
        "ocid": own,
        "id": release_id(own, case.published.h),
        "date": date_time(case.published.at),
        "tag": [_tag(case)],
        "initiationType": "tender",
        "language": "zh",
        "parties": _parties(case),
        "buyer": reference_to(case.name_of(case.offer["buyer"]["code"])),
        "tender": tender(case),
        **bids(case),
        **awards(case),
        **contracts(case),
    }


def _tag(case: Case) -> str:
    kind = case.published.kind
    if kind == "result.published":
        return "awardUpdate" if len(case.of_kind(kind, lot=case.published.body["lot"])) > 1 else "award"
    return _TAGS[kind]


def _parties(case: Case) -> list[dict[str, Any]]:
    offer = case.offer
    roles: dict[str, list[str]] = {}
    told = [
        (offer["buyer"]["code"], "buyer"),
        (offer["agency"]["code"], "procuringEntity"),
        (offer["supervisor"], "reviewBody"),
        *((code, "tenderer") for code in bidders_of(case)),
        *((code, "supplier") for code in suppliers_of(case)),
    ]
    for code, role in told:
        listed = roles.setdefault(code, [])
        if role not in listed:
            listed.append(role)
    return [_party(case, code, listed) for code, listed in roles.items()]


def _party(case: Case, code: str, roles: list[str]) -> dict[str, Any]:
    named = case.name_of(code)
    return {
        "id": party_id(code),
        **both("name", named.name_zh, named.name_en),
        "identifier": {"scheme": SCHEME, "id": code, "legalName": named.name_zh},
        "roles": roles,
    }
