"""A draft as the page that the public will see: the very values that the public page is rendered from."""

from __future__ import annotations

from sqlalchemy import Connection

from trading.notices.queries.page import criterion_of
from trading.notices.queries.values import File, Item, Lot, Page, Party, Schedule
from trading.notices.rules.progress import LotState, timeline
from trading.parties.queries import Organisation, organisations
from trading.procedures.rules.catalogue import kind_of
from trading.procedures.rules.formula_terms import formula_json
from trading.procedures.rules.spec import LotSpec, ProcedureSpec, criteria_json, preference_json
from trading.rulebook.model import Edition


def page_of(conn: Connection, spec: ProcedureSpec, edition: Edition, *, reference: str, at: int) -> Page:
    """Return a specification as it would be shown if it were published at ``at`` (ms)."""
    known = organisations(conn, (spec.buyer, spec.agency, spec.supervisor))
    return Page(
        reference=reference,
        kind=spec.kind,
        regime=kind_of(spec.kind, edition).regime.value,
        jurisdiction=spec.jurisdiction,
        edition_id=edition.id,
        edition_sha256=edition.digest.hex(),
        phase="draft",
        title_zh=spec.title_zh,
        title_en=spec.title_en,
        text_zh=spec.text_zh,
        text_en=spec.text_en,
        buyer=_party(known, spec.buyer),
        agency=_party(known, spec.agency),
        supervisor=_party(known, spec.supervisor),
        published_at=at,
        lots=tuple(_lot(spec, lot) for lot in spec.lots),
        notices=(),
        documents=(),
        log=(),
        files=tuple(
            File(name=each.name, sha256=each.sha256, size=each.size, media=each.media) for each in spec.documents
        ),
        supply_ends_at=spec.supply_ends_at,
        questions_until=spec.questions_until,
        bid_validity_days=spec.bid_validity_days,
    )


def _party(known: dict[str, Organisation], code: str) -> Party:
    found = known.get(code)
    return Party(code=code, name_zh=found.name_zh if found else code, name_en=found.name_en if found else code)


def _lot(spec: ProcedureSpec, lot: LotSpec) -> Lot:
    return Lot(
        number=lot.lot,
        stage="all",
        title_zh=lot.title_zh,
        title_en=lot.title_en,
        state=LotState.OPEN,
        close_at=spec.close,
        ceiling=lot.ceiling,
        currency=lot.currency,
        method=lot.method.value,
        tie_rule=lot.tie_rule.value,
        items=tuple(
            Item(code=each.code, name_zh=each.name_zh, name_en=each.name_en, quantity=each.quantity, unit=each.unit)
            for each in lot.items
        ),
        sealing=None,
        schedule=_schedule(spec),
        opening_step=None,
        steps=timeline(LotState.OPEN, spec.close, ()),
        reason=None,
        budget=lot.budget,
        category=lot.category.value,
        criteria=tuple(criterion_of(each) for each in criteria_json(lot) or ()),
        preference=preference_json(lot),
        formula=None if lot.formula is None else formula_json(lot.formula),
        masked=lot.masked,
        abnormal=None if lot.abnormal is None else lot.abnormal.to_json(),
    )


def _schedule(spec: ProcedureSpec) -> Schedule:
    return Schedule(
        sha256="",
        seq=1,
        cause=None,
        objection_ms=spec.windows.objection_ms,
        factor_window_ms=spec.windows.factor_window_ms,
        extension_rule=spec.extension_rule,
    )
