"""Everything the page of one procedure shows, in five queries with explicit columns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Select

from trading.bids import queries as bids
from trading.bids.rules.intake import REASON as INTAKE
from trading.bids.rules.schedule import Intake
from trading.kernel.errors import NotFound
from trading.notices.queries import AnyRow
from trading.notices.queries.log import LogRow, public_log
from trading.notices.queries.statements import (
    AFTER_OPENING,
    DOCUMENTS,
    FROM_PUBLICATION,
    HEAD,
    LOTS,
    NOTICES,
    PRACTICE_HEAD,
)
from trading.notices.queries.values import (
    Criterion,
    Custodian,
    Document,
    File,
    Item,
    Lot,
    Notice,
    Page,
    Party,
    Schedule,
    Sealing,
)
from trading.notices.rules.changes import Change
from trading.notices.rules.progress import Happened, LotState, lot_state, timeline
from trading.procedures.queries import ProcedureRow
from trading.procedures.rules.extension import ExtensionRule

# Proofs of publication stand with the notices that they are about.
_PROOF: Final = "notice.publication"


def page(conn: Connection, reference: str, now: int) -> Page:
    """Return the page of a published procedure at ``now`` (ms).

    Raises:
        NotFound: There is none, or it is still a draft: the two look the same from outside.
    """
    head = _head(conn, HEAD, reference)
    notices = _notices(conn, head.id)
    return _page(conn, head, notices, _content(notices), now)


def practice_page(conn: Connection, row: ProcedureRow, now: int) -> Page:
    """Return the page of a practice tender, which has no notice: its specification says what one would (ADR 0061).

    Raises:
        NotFound: It takes no bids yet.
    """
    if any(lot.policy_sha256 is None for lot in conn.execute(LOTS, {"procedure": row.id})):
        raise NotFound(row.reference)
    return _page(conn, _head(conn, PRACTICE_HEAD, row.reference), [], json.loads(row.spec), now)


def _page(
    conn: Connection, head: AnyRow, notices: list[tuple[AnyRow, dict[str, Any]]], content: Mapping[str, Any], now: int
) -> Page:
    rows = conn.execute(LOTS, {"procedure": head.id}).all()
    digests = {digest for row in rows for digest in (row.policy_sha256, row.schedule_sha256) if digest is not None}
    # Documents of the ceremony wait for the last opening: a document does not name its lot in a column (SB1 S11).
    opened = {row.step for row in rows} - {None} == {"completed"}
    documents, wanted = _documents(conn, head.id, digests, opened=opened)
    log = public_log(conn, head.id)
    lots = tuple(_lot(conn, row, content, wanted, log, now) for row in rows)
    return Page(
        reference=head.reference,
        kind=head.kind,
        regime=head.regime,
        jurisdiction=head.jurisdiction,
        edition_id=head.edition_id,
        edition_sha256=bytes(head.edition_sha256).hex(),
        phase=head.phase,
        title_zh=head.title_zh,
        title_en=head.title_en,
        text_zh=content.get("text_zh", ""),
        text_en=content.get("text_en", ""),
        buyer=_party(head, "buyer"),
        agency=_party(head, "agency"),
        supervisor=_party(head, "supervisor"),
        published_at=head.published_at or 0,
        lots=lots,
        notices=tuple(_notice(row, body) for row, body in reversed(notices)),
        documents=documents,
        log=tuple(each for each in log if each.kind != _PROOF),
        files=tuple(files_of(content)),
        supply_ends_at=content.get("supply_ends_at"),
        questions_until=content.get("questions_until"),
        bid_validity_days=content.get("bid_validity_days"),
    )


def _head(conn: Connection, statement: Select[Any], reference: str) -> AnyRow:
    row = conn.execute(statement, {"reference": reference}).one_or_none()
    if row is None:
        raise NotFound(reference)
    return row


def _party(head: AnyRow, name: str) -> Party:
    values = head._mapping
    code = values[f"{name}_code"]
    return Party(code=code, name_zh=values[f"{name}_zh"] or code, name_en=values[f"{name}_en"] or code)


def _notices(conn: Connection, procedure_id: int) -> list[tuple[AnyRow, dict[str, Any]]]:
    # Admission found these bytes canonical; reading them again does not repeat it.
    return [(row, json.loads(row.bytes)) for row in conn.execute(NOTICES, {"procedure": procedure_id})]


def _content(notices: Sequence[tuple[AnyRow, dict[str, Any]]]) -> dict[str, Any]:
    """The newest notice that says what is bought: results and failures repeat only what they decide."""
    bodies = [body for row, body in notices if row.kind in {"tender", "correction"}]
    return bodies[-1] if bodies else {}


def _documents(
    conn: Connection, procedure_id: int, wanted: set[bytes], *, opened: bool
) -> tuple[tuple[Document, ...], dict[str, dict[str, Any]]]:
    types = FROM_PUBLICATION + AFTER_OPENING if opened else FROM_PUBLICATION
    values = {"procedure": procedure_id, "types": types, "wanted": tuple(wanted)}
    rows, bodies = [], {}
    for row in conn.execute(DOCUMENTS, values):
        digest = bytes(row.sha256).hex()
        if row.body is not None:
            bodies[digest] = json.loads(row.body)
        rows.append(Document(sha256=digest, typ=row.typ, size=row.size, signed=row.signed))
    return tuple(rows), bodies


def _notice(row: AnyRow, body: Mapping[str, Any]) -> Notice:
    return Notice(
        number=row.number,
        kind=row.kind,
        sha256=bytes(row.sha256).hex(),
        size=len(row.bytes),
        published_at=row.published_at,
        title_zh=body["title_zh"],
        title_en=body["title_en"],
        changes=tuple(Change(field=each["field"], old=each["old"], new=each["new"]) for each in body["changes"]),
    )


def _lot(
    conn: Connection,
    row: AnyRow,
    content: Mapping[str, Any],
    documents: Mapping[str, dict[str, Any]],
    log: Sequence[LogRow],
    now: int,
) -> Lot:
    said: Mapping[str, Any] = next((each for each in content.get("lots", ()) if each["lot"] == row.number), {})
    records = [each for each in log if each.lot in {row.number, None}]
    state = lot_state(row.phase, row.close_at, now)
    happened = [Happened(kind=each.kind, at=each.at, h=each.h) for each in records]
    blocked: tuple[str, ...] = ()
    if state is LotState.CLOSING:
        blocked = bids.blocked_for(conn, row.procedure_id, row.number, row.stage, row.close_at)
    return Lot(
        number=row.number,
        stage=row.stage,
        title_zh=row.title_zh,
        title_en=row.title_en,
        state=state,
        close_at=row.close_at,
        ceiling=row.ceiling,
        currency=row.currency,
        method=said.get("method", ""),
        tie_rule=said.get("tie_rule", ""),
        items=tuple(_item(each) for each in said.get("items", ())),
        sealing=_sealing(row.policy_sha256, documents),
        schedule=_schedule(row.schedule_sha256, documents),
        opening_step=row.step,
        steps=timeline(state, row.close_at, happened),
        reason=next((each.reason for each in reversed(records) if each.reason is not None), None),
        is_void=state is LotState.CLOSING and bids.is_void(conn, row.close_at),
        is_blocked=bool(blocked),
        awaits_intake=blocked[-1:] == (INTAKE,),
        budget=said.get("budget"),
        category=said.get("category", ""),
        criteria=tuple(criterion_of(each) for each in said.get("criteria") or ()),
        preference=said.get("preference"),
        formula=said.get("formula"),
        abnormal=said.get("abnormal"),
        masked=said.get("masked", False),
    )


def criterion_of(said: Mapping[str, Any]) -> Criterion:
    """Return one line of the criteria tree of a notice or a specification."""
    plain = {name: said[name] for name in Criterion.__slots__ if name != "bands"}
    return Criterion(**plain, bands=tuple(said["bands"]))


def files_of(said: Mapping[str, Any]) -> Iterator[File]:
    """Yield the tender documents that a notice names."""
    for each in said.get("documents", ()):
        yield File(name=each["name"], sha256=each["sha256"], size=each["size"], media=each["media"])


def _item(said: Mapping[str, Any]) -> Item:
    return Item(
        code=said["code"],
        name_zh=said["name_zh"],
        name_en=said["name_en"],
        quantity=said["quantity"],
        unit=said["unit"],
    )


def _sealing(digest: bytes | None, documents: Mapping[str, dict[str, Any]]) -> Sealing | None:
    policy = documents.get(bytes(digest).hex()) if digest is not None else None
    if policy is None or digest is None:
        return None
    return Sealing(
        policy_sha256=bytes(digest).hex(),
        k=policy["k"],
        bidder_factor=policy["bidder_factor"],
        custodians=tuple(
            Custodian(index=each["i"], name=each["name"], role=each["role"]) for each in policy["custodians"]
        ),
    )


def _schedule(digest: bytes | None, documents: Mapping[str, dict[str, Any]]) -> Schedule | None:
    schedule = documents.get(bytes(digest).hex()) if digest is not None else None
    if schedule is None or digest is None:
        return None
    rule = schedule["extension_rule"]
    return Schedule(
        sha256=bytes(digest).hex(),
        seq=schedule["seq"],
        cause=schedule["cause"],
        objection_ms=schedule["objection_ms"],
        factor_window_ms=schedule["factor_window_ms"],
        extension_rule=None if rule is None else ExtensionRule(**{**rule, "triggers": tuple(rule["triggers"])}),
        intake=None if schedule["intake"] is None else Intake(**schedule["intake"]),
    )
