"""What the people of a ceremony have in hand: its papers in words, and the supervisor's decisions as drafts to sign.

A decision becomes a draft like the station's: signed in the browser or by ``mingbiao sign``, its signatures count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from trading.audit.ledger import Ledger
from trading.audit.rules.proof import parse_receipt, verify_receipt
from trading.audit.runtime import Runtime
from trading.audit.service import known_policy, origin_of
from trading.crypto.notes import verify_note_signature
from trading.crypto.signatures import SignedDocument
from trading.documents.cache import DOCUMENTS
from trading.kernel.canonical import loads_object
from trading.kernel.errors import InvalidInput, NotFound
from trading.kernel.roles import Actor, Role
from trading.openings import queries
from trading.openings.model import Place
from trading.openings.queries import CeremonyRow, Spoken
from trading.openings.rules.answers import parse_share_check
from trading.openings.rules.decisions import (
    bad_bids,
    make_adjudication,
    make_objection_decision,
    parse_objection_decision,
)
from trading.openings.rules.on_the_spot import Window
from trading.openings.rules.verdicts import Finding
from trading.openings.service import confirming, documents, objections, on_the_spot
from trading.openings.service import session as sessions
from trading.openings.service.documents import Collected
from trading.parties import queries as parties
from trading.procedures import queries as procedures
from trading.procedures.rules.lifecycle import LotPhase

#: Which keys a person may hold for the papers of a ceremony, by role of the account (P6.2).
KEY_ROLES: Final[Mapping[Role, tuple[str, ...]]] = {
    Role.AGENCY: ("agency", "station-operator"),
    Role.REVIEWER: ("agency", "station-operator"),
    Role.SUPERVISOR: ("supervisor",),
}
#: Who answers objections that are made on the spot (OPN-11).
ANSWERING: Final = frozenset({Role.AGENCY, Role.REVIEWER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A document that waits for signatures, or has them all (``h`` in hex); ``needs`` are the key roles missing."""

    sha256: str
    typ: str
    doc: bytes
    needs: tuple[str, ...]
    signed: int
    h: str | None

    @property
    def content(self) -> dict[str, Any]:
        """Return what the document says."""
        return loads_object(self.doc)

    def mine(self, actor: Actor) -> str | None:
        """Return the key role in which this person may sign it now; None if there is none."""
        held = [role for each in sorted(actor.roles) for role in KEY_ROLES.get(each, ())]
        return next((role for role in held if role in self.needs), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """A bidder's claim that its bid is missing: ``h`` of its record, the bid, when (ms), and the decision if any."""

    h: str
    bid: str
    envelope_sha256: str
    order_sha256: str
    bidder: str | None
    at: int
    decision: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Bids whose shares a custodian reported BAD and that nobody has decided yet (SB1 S9.4)."""

    custodian: int
    name: str
    codes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything that the people of one ceremony have in hand. ``names``: bid to (code, Chinese, English name).

    ``spoken`` are the objections made on the spot; ``spot_ends_at`` is when their window ends (ms), None before the
    read-out.
    ``blocked`` are the reasons for which the lot cannot be closed yet (TE1 T5), the newest last.
    """

    row: CeremonyRow
    papers: tuple[Paper, ...]
    objections: tuple[Objection, ...]
    reports: tuple[Report, ...]
    names: Mapping[str, tuple[str, str, str]]
    blocked: tuple[str, ...] = ()
    spoken: tuple[Spoken, ...] = ()
    spot_ends_at: int | None = None

    def bidder(self, code: str) -> tuple[str, str, str]:
        """Return code and both names of a bidder of the order."""
        return next((each for each in self.names.values() if each[0] == code), (code, code, code))

    def waiting(self, actor: Actor) -> int:
        """Return how many things wait for this person."""
        signing = sum(paper.mine(actor) is not None for paper in self.papers)
        if actor.roles & ANSWERING:
            signing += sum(each.answer is None for each in self.spoken)
        if Role.SUPERVISOR not in actor.roles:
            return signing
        return signing + sum(each.decision is None for each in self.objections) + len(self.reports)


def require_party(conn: Connection, actor: Actor, reference: str, lot: str, stage: str = "all") -> tuple[str, str, str]:
    """Return the place if the actor's organisation conducts or supervises its procedure; else it does not exist."""
    row = procedures.find(conn, reference)
    found = procedures.find_lot(conn, row.id, lot, stage)
    parties_of = {row.agency_code, row.buyer_code, row.supervisor_code}
    if actor.organisation not in parties_of or row.published_at is None or found.policy_sha256 is None:
        raise NotFound(reference)
    return reference, lot, stage


def desk(conn: Connection, actor: Actor, reference: str, lot: str) -> Desk:
    """Return the desk of one ceremony.

    Raises:
        NotFound: The procedure is of others, or no such lot.
    """
    require_party(conn, actor, reference, lot)
    return _desk(conn, queries.ceremony_row(conn, reference, lot))


def desks(conn: Connection, actor: Actor) -> list[Desk]:
    """Return the desks of every ceremony of the actor's organisation, those that go on first."""
    found = [_desk(conn, row) for row in queries.ceremonies_of(conn, actor.organisation or "")]
    return [each for each in found if each.blocked or each.row.phase != LotPhase.OPEN]


def _desk(conn: Connection, row: CeremonyRow) -> Desk:
    place = row.place
    raised = _objections(conn, place)
    decided = {each.h for each in raised if each.decision is not None}
    blocked = confirming.open_reasons(conn, place)
    return Desk(
        row=row,
        papers=tuple(paper for paper in _papers(conn, place) if not _is_moot(paper, row, decided, blocked)),
        objections=raised,
        reports=_reports(conn, row),
        names=_names(conn, row, raised),
        blocked=blocked,
        spoken=queries.spoken(conn, place),
        spot_ends_at=_window(conn, row).ends_at,
    )


def spot_window(conn: Connection, reference: str, lot: str, stage: str = "all") -> Window:
    """Return when bidders may object to the opening of a published lot on the spot."""
    return _window(conn, queries.ceremony_row(conn, reference, lot, stage))


def _window(conn: Connection, row: CeremonyRow) -> Window:
    if row.opening is None:
        return Window(begins_at=None, length_ms=0)
    procedure = procedures.find(conn, row.place.procedure)
    order = DOCUMENTS.get(conn, bytes.fromhex(row.opening.order_sha256))
    return on_the_spot.window(conn, procedure, row.place, order["bids"])


def _papers(conn: Connection, place: Place) -> list[Paper]:
    return [
        Paper(
            sha256=draft.sha256,
            typ=draft.typ,
            doc=draft.doc,
            needs=needs if draft.h is None else (),
            signed=len(SignedDocument.from_parts(draft.doc, draft.sigs).sigs),
            h=None if draft.h is None else draft.h.hex(),
        )
        for draft, needs in documents.pending(conn, place, None)
    ]


def _is_moot(paper: Paper, row: CeremonyRow, decided: set[str], blocked: tuple[str, ...]) -> bool:
    """Whether a draft decides what is decided: an objection by another one, a blocked close by a later deadline."""
    if paper.h is not None:
        return False
    if paper.typ == confirming.TYP:
        return paper.content["close"] != row.close_at or paper.content["reason"] not in blocked
    return paper.typ == "sb1.objection-decision" and paper.content["objection_h"] in decided


def _of_lot(conn: Connection, place: Place, kind: str) -> list[dict[str, Any]]:
    here = (place.lot, place.stage)
    found = queries.entries(conn, place, (kind,))
    return [record for record in found if (record["body"]["lot"], record["body"]["stage"]) == here]


def _objections(conn: Connection, place: Place) -> tuple[Objection, ...]:
    decisions = {}
    for record in _of_lot(conn, place, "objection.decided"):
        document = DOCUMENTS.get(conn, bytes.fromhex(record["body"]["decision_sha256"]))
        decisions[document["objection_h"]] = str(document["decision"])
    return tuple(
        Objection(
            h=record["h"],
            bid=record["body"]["bid"],
            envelope_sha256=record["body"]["envelope_sha256"],
            order_sha256=record["body"]["order_sha256"],
            bidder=record["on_behalf_of"],
            at=record["at"],
            decision=decisions.get(record["h"]),
        )
        for record in _of_lot(conn, place, "objection.raised")
    )


def _reports(conn: Connection, row: CeremonyRow) -> tuple[Report, ...]:
    if row.opening is None or row.policy_sha256 is None:
        return ()
    order_sha256 = row.opening.order_sha256
    answers = [
        each for each in queries.answers(conn, row.place, "check", "adjudication") if each.order_sha256 == order_sha256
    ]
    settled = {each.custodian for each in answers if each.kind == "adjudication"}
    names = {each["i"]: each["name"] for each in DOCUMENTS.get(conn, bytes.fromhex(row.policy_sha256))["custodians"]}
    found = []
    for answer in answers:
        if answer.kind != "check" or answer.custodian in settled:
            continue
        check = parse_share_check(documents.stored_document(conn, answer.doc_sha256).doc)
        bad = set(bad_bids(check))
        if bad:
            codes = {item.bid: item.code.value for item in check.items if item.bid in bad}
            found.append(Report(custodian=answer.custodian, name=names[answer.custodian], codes=codes))
    return tuple(found)


def _names(conn: Connection, row: CeremonyRow, raised: tuple[Objection, ...]) -> dict[str, tuple[str, str, str]]:
    bidders = {each.bid: each.bidder for each in raised if each.bidder is not None}
    for paper in _papers(conn, row.place):
        if paper.typ == "sb1.open-order":
            bidders |= {bid["bid"]: bid["bidder"] for bid in paper.content["bids"]}
    known = parties.organisations(conn, tuple(sorted(set(bidders.values()))))
    return {
        bid: (code, known[code].name_zh, known[code].name_en) if code in known else (code, code, code)
        for bid, code in bidders.items()
    }


def paper_of(found: Desk, sha256: str) -> Paper:
    """Return one paper of a desk.

    Raises:
        NotFound: There is none.
    """
    paper = next((each for each in found.papers if each.sha256 == sha256), None)
    if paper is None:
        raise NotFound("document")
    return paper


def draft_confirmation(ledger: Ledger, actor: Actor, where: tuple[str, str, str]) -> Collected:
    """Put the paper on the desk with which agency and supervisor confirm a blocked deadline (TE1 T5).

    Raises:
        NotFound: The procedure is of others.
        RuleBroken: ``closing.not_blocked``.
    """
    with ledger.read() as conn:
        require_party(conn, actor, *where)
    return documents.collect(ledger, actor, where, SignedDocument(confirming.proposal(ledger, *where)))


def draft_decision(
    ledger: Ledger, actor: Actor, where: tuple[str, str, str], objection_h: str, *, add: bool
) -> Collected:
    """Put the supervisor's decision on an objection on the desk, to be signed.

    Raises:
        NotFound: No such objection.
        Conflict: It is decided already.
    """
    with ledger.read() as conn:
        place = sessions.read(conn, *where).place
        raised = next((each for each in _objections(conn, place) if each.h == objection_h), None)
        created = ledger.platform_time(conn)
        kept = None if raised is None else _same_decision(conn, place, raised, add=add)
    if raised is None:
        raise NotFound("objection")
    if kept is not None:
        return kept
    document = make_objection_decision(
        add=add,
        envelope_sha256=raised.envelope_sha256,
        objection_h=raised.h,
        order_sha256=raised.order_sha256,
        created=created,
    )
    return documents.collect(ledger, actor, where, SignedDocument(document))


def _same_decision(conn: Connection, place: Place, raised: Objection, *, add: bool) -> Collected | None:
    """Return the draft that says the same already, so that asking twice makes one paper."""
    for paper in _papers(conn, place):
        if paper.typ != "sb1.objection-decision" or paper.h is not None:
            continue
        known = parse_objection_decision(paper.doc)
        if (known.objection_h, known.decision) == (raised.h, "add" if add else "reject"):
            return Collected(sha256=paper.sha256, typ=paper.typ, needs=paper.needs, h=None)
    return None


def draft_adjudication(
    ledger: Ledger, actor: Actor, where: tuple[str, str, str], custodian: int, findings: Mapping[str, Finding]
) -> Collected:
    """Put the supervisor's findings on what a custodian reported on the desk, to be signed (SB1 S9.4).

    Raises:
        InvalidInput: Not exactly one finding for each bid that it reported.
    """
    with ledger.read() as conn:
        session = sessions.read(conn, *where)
        created = ledger.platform_time(conn)
    document = make_adjudication(session.begun().order_sha256, findings, custodian=custodian, created=created)
    return documents.collect(ledger, actor, where, SignedDocument(document))


def object_by_receipt(runtime: Runtime, actor: Actor, where: tuple[str, str, str], receipt: bytes) -> str:
    """Record the objection of a bidder who has nothing but a receipt in hand; return the bid that it names.

    Raises:
        InvalidInput, NotFound, RuleBroken: As ``objections.object_to_order``.
    """
    policy = known_policy(runtime.witness_policy)
    origin = origin_of(runtime, parse_receipt(receipt).checkpoint)
    verified = verify_receipt(receipt, origin=origin, policy=policy, verify=verify_note_signature)
    bid = verified.record["body"].get("bid")
    if not isinstance(bid, str):
        raise InvalidInput("receipt.other_record", "the receipt is not of a bid")
    objections.object_to_order(runtime, actor, where, bid, receipt)
    return bid


def own_objections(conn: Connection, actor: Actor, where: tuple[str, str, str]) -> list[Objection]:
    """Return the objections that the actor's organisation has raised about this opening."""
    place = sessions.read(conn, *where).place
    return [each for each in _objections(conn, place) if each.bidder == actor.organisation]
