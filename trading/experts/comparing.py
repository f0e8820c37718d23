"""What the replay of draws compares beyond rows: signed documents, commitments, the register (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from sqlalchemy import Connection, select

from trading.audit.replay import Compare, Mismatch, State, differences
from trading.audit.tables import audit_entry
from trading.documents.folds import content_of, signer_of
from trading.documents.tables import document
from trading.experts.rules.pool import OpenedLeaf, procedure_commit, require_opened
from trading.experts.rules.register import fold as fold_register
from trading.experts.rules.register import parse_register_change
from trading.experts.rules.results import parse_result
from trading.experts.rules.spec import Spec, parse_spec
from trading.experts.tables import (
    committee,
    committee_member,
    draw,
    draw_share_key,
    draw_step,
    expert,
    panel_name,
)
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.digests import sha256
from trading.kernel.errors import MingbiaoError
from trading.procedures.tables import procedure


def compare_register(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield every expert whose row is not what the signed changes say."""
    if state.procedure_id is not None:
        return
    told: list[tuple[str, int]] = state.facts.get("register", [])
    digests = [bytes.fromhex(digest) for digest, _ in told]
    query = select(document.c.sha256, document.c.bytes).where(document.c.sha256.in_(digests))
    found = {bytes(row.sha256): bytes(row.bytes) for row in conn.execute(query)}
    try:
        changes = [parse_register_change(found[each]) for each in digests]
        register = fold_register(changes)
    except (MingbiaoError, KeyError) as error:
        yield Mismatch(table="expert", id=None, column="*", stored=repr(error), expected="signed changes in order")
        return
    newest = {
        item.id: (item, entry_id) for change, (_, entry_id) in zip(changes, told, strict=True) for item in change.items
    }
    missing = dict(newest)  # who was removed keeps his row
    for row in conn.execute(select(expert)):
        item, entry_id = missing.pop(row.expert_id, (None, row.entry_id))
        if item is None:
            stored = row.expert_id
            yield Mismatch(table="expert", id=row.id, column="*", stored=stored, expected=None, entry_id=entry_id)
            continue
        standing = "suspended" if item.id in register.suspended else "active"
        state_of = standing if item.id in register.experts else "removed"
        expected = {"entry_id": entry_id, "strata": list(item.strata), "unit": item.unit, "state": state_of}
        yield from differences("expert", row._mapping, expected)
    for name, (_, entry_id) in sorted(missing.items()):
        yield Mismatch(table="expert", id=None, column="*", stored=None, expected=name, entry_id=entry_id)


def compare_draws(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield attempts whose salt does not open the commitment to their procedure, or with another result's number."""
    if state.procedure_id is not None:
        return
    commits: Mapping[tuple[str, int], str] = state.facts.get("procedure_commits", {})
    query = select(draw, procedure.c.reference).outerjoin(procedure, procedure.c.id == draw.c.tender_id)
    for row in conn.execute(query):
        opened = None if row.reference is None else procedure_commit(bytes(row.salt), row.reference).hex()
        committed = commits.get((row.draw, row.attempt))
        if opened != committed:
            yield Mismatch(table="draw", id=row.id, column="salt", stored=opened, expected=committed)
        raw = _content(conn, row.result_sha256)
        number = 0 if raw is None else parse_result(raw).seq
        if row.result_seq != number:
            yield Mismatch(table="draw", id=row.id, column="result_seq", stored=row.result_seq, expected=number)


def compare_commitments(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield attempts and steps whose commitment is not that of their record: what is drawn stands on it (D8, D10)."""
    if state.procedure_id is not None:
        return
    sealed: dict[tuple[str, int], int] = state.facts.get("sealed", {})
    hs = select(audit_entry.c.id, audit_entry.c.h).where(audit_entry.c.id.in_(sealed.values()))
    by_entry = {row.id: bytes(row.h) for row in conn.execute(hs)}
    for row in conn.execute(select(draw)):
        expected = by_entry.get(sealed.get((row.draw, row.attempt), 0))
        if (None if row.sealed_h is None else bytes(row.sealed_h)) != expected:
            yield Mismatch(table="draw", id=row.id, column="sealed_h", stored=row.sealed_h, expected=expected)
    steps = select(draw_step.c.id, draw_step.c.h, audit_entry.c.h.label("entry_h"))
    for row in conn.execute(steps.join(audit_entry, audit_entry.c.id == draw_step.c.entry_id)):
        if bytes(row.h) != bytes(row.entry_h):
            yield Mismatch(table="draw_step", id=row.id, column="h", stored=row.h, expected=row.entry_h)


def compare_share_keys(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield share keys of draws whose columns are not those of their document and its signer."""
    if state.procedure_id is not None:
        return
    query = select(draw_share_key, document.c.bytes, document.c.sigs)
    for row in conn.execute(query.join(document, document.c.sha256 == draw_share_key.c.doc_sha256)):
        content = content_of(bytes(row.bytes), bytes(row.doc_sha256))
        if content is not None:
            expected = {name: content[name] for name in ("draw", "name", "role")}
            expected["kid"] = signer_of(bytes(row.bytes), bytes(row.sigs))
            yield from differences("draw_share_key", row._mapping, expected)


def compare_panels(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield published names whose leaf does not stand in the pool where the member was drawn (D11)."""
    if state.procedure_id is None:
        return
    query = (
        select(panel_name.c.id, panel_name.c.leaf, committee_member.c.index_no, draw.c.spec_sha256)
        .join(committee_member, committee_member.c.seat == panel_name.c.seat)
        .join(committee, committee.c.procedure_id == panel_name.c.procedure_id)
        .outerjoin(draw, (draw.c.draw == committee.c.draw) & (draw.c.attempt == committee_member.c.attempt))
    )
    for row in conn.execute(query.where(panel_name.c.procedure_id == state.procedure_id)):
        fault = _fault_of_leaf(row.leaf, row.index_no, _spec(conn, row.spec_sha256))
        if fault is not None:
            yield Mismatch(table="panel_name", id=row.id, column="leaf", stored=fault, expected="a leaf of the pool")


def _fault_of_leaf(leaf: bytes | None, index: int | None, spec: Spec | None) -> str | None:
    if leaf is None or index is None:
        return None if leaf is None and index is None else "a representative has none, an expert has one"
    if spec is None:
        return None  # its document was changed, which is reported with the documents
    try:
        content = loads_object(bytes(leaf))
        attrs = dumps({name: content[name] for name in ("id", "stratum", "unit")})
        proof = tuple(bytes.fromhex(item) for item in content["proof"])
        opened = OpenedLeaf(index=index, salt=bytes.fromhex(content["salt"]), attrs=attrs, proof=proof)
        require_opened(opened, spec.pool_size, spec.pool_root)
    except (MingbiaoError, KeyError, ValueError, TypeError) as error:
        return repr(error)
    return None if content["index"] == index else "another index"


def _spec(conn: Connection, digest: bytes | None) -> Spec | None:
    raw = _content(conn, digest)
    return None if raw is None else parse_spec(raw)


def _content(conn: Connection, digest: bytes | None) -> bytes | None:
    """Return a stored document; None if there is none or its bytes were changed, which is reported elsewhere."""
    if digest is None:
        return None
    raw = conn.execute(select(document.c.bytes).where(document.c.sha256 == digest)).scalars().first()
    return bytes(raw) if raw is not None and sha256(bytes(raw)) == bytes(digest) else None


COMPARE: Final[tuple[Compare, ...]] = (
    *(compare_register, compare_draws, compare_commitments),
    *(compare_share_keys, compare_panels),
)
