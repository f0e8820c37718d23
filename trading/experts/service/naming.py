"""After the disclosure the contact service publishes names, opened leaves and, for auditors, the keys (ED1 D11)."""

from __future__ import annotations

from sqlalchemy import Connection

from trading.experts import model, queries, store
from trading.experts.model import NotYet
from trading.experts.queries import DrawRow, MemberRow
from trading.experts.rules.disclosed import OpenedReason, make_keys, make_leaves
from trading.experts.rules.pool import OpenedLeaf
from trading.experts.rules.results import parse_result
from trading.experts.service.attempts import spec_of
from trading.experts.service.preparing import keys_info
from trading.experts.service.walking import ACTOR, Contact
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.errors import NotFound
from trading.kernel.fields import type_of
from trading.kernel.signed import SignedDocument

LEAVES = "mb.draw-leaves"


def disclose_members(contact: Contact) -> int:
    """Publish the members' names of every procedure whose draws are disclosed (EXP-14); return how many procedures."""
    with contact.ledger.read() as conn:
        procedures = {row.tender_id for row in queries.draws_in(conn, "disclosed")}
        waiting = [each for each in procedures if not queries.panel_of(conn, each)]
    for procedure_id in sorted(waiting):
        _disclose(contact, procedure_id)
    return len(waiting)


def _disclose(contact: Contact, procedure_id: int) -> None:
    with contact.ledger.begin(ACTOR) as uow:
        conn = uow.connection
        committee = queries.committee_row(conn, procedure_id)
        if committee is None or committee.draw is None:
            raise NotFound("committee")
        plan = queries.plan_of(conn, committee)
        names: list[dict[str, object]] = []
        for member in queries.members(conn, procedure_id):
            if member.state not in {"expected", "present"}:
                continue
            names.append(_name_of(contact, conn, committee.draw, member))
        listed = [{name: each[name] for name in ("employer", "name", "seat")} for each in names]
        event = model.committee_event("panel.disclosed", plan.tender, procedure_id, members=listed)
        recorded = uow.record(event)
        for each in names:
            store.add_name(uow, recorded, procedure_id, **each)
        for row in queries.draws_of(conn, procedure_id):
            if row.seed is not None:
                _open(contact, conn, row, uow.at)


def _open(contact: Contact, conn: Connection, row: DrawRow, at: int) -> None:
    """Keep what a bundle of the draw opens: the leaves of everybody selected, and the keys for auditors."""
    spec = spec_of(conn, row)
    pool, reasons = contact.pool(conn, row, spec)
    results = [queries.signed_document(conn, each.sha256).doc for each in _results(conn, row)]
    indices = sorted({seat.index for raw in results for seat in parse_result(raw).selected})
    content = loads_object(
        contact.key.open(keys_info(row.draw, row.attempt), store.key_of(conn, row.draw, row.attempt)), 2**26
    )
    told = queries.opened_reasons(conn, row.draw, row.attempt)
    if any(each.n is None for each in told):
        raise NotYet("a disposition is not in the log yet")
    opened = [OpenedReason(n=each.n or 0, reason=each.reason, salt=each.salt) for each in told]
    keys = make_keys(spec, bytes.fromhex(content["k_draw"]), bytes.fromhex(content["k_x"]), reasons, opened)
    leaves = make_leaves(spec, (pool.opened(index) for index in indices))
    store.add_paper(conn, row.draw, row.attempt, LEAVES, SignedDocument(leaves), at)
    for raw in keys:
        store.add_paper(conn, row.draw, row.attempt, type_of(raw), SignedDocument(raw), at)


def _results(conn: Connection, row: DrawRow) -> list[queries.AnswerRow]:
    return queries.answers(conn, row.draw, row.attempt, "result")


def _name_of(contact: Contact, conn: Connection, draw: str, member: MemberRow) -> dict[str, object]:
    if member.index is None or member.attempt is None:
        person = contact.identity(conn, model.representative_number(member.seat))
        return {"seat": member.seat, "name": person.name, "employer": person.employer, "leaf": None}
    row = queries.find_draw(conn, draw, member.attempt)
    pool, _ = contact.pool(conn, row, spec_of(conn, row))
    leaf = pool.opened(member.index)
    person = contact.identity(conn, pool.entrants[member.index].id)
    return {"seat": member.seat, "name": person.name, "employer": person.employer, "leaf": leaf_json(leaf)}


def leaf_json(leaf: OpenedLeaf) -> bytes:
    """Return an opened leaf as canonical JSON: who stood at the index, with the proof under ``pool_root``."""
    return dumps(
        {
            **loads_object(leaf.attrs),
            "index": leaf.index,
            "proof": [item.hex() for item in leaf.proof],
            "salt": leaf.salt.hex(),
        }
    )
