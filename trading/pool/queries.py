"""Read side of the pool. Lists carry numbers alone; a dossier is read inside an act that is recorded."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, func, select, tuple_

from trading.audit.rules.record import parse_record
from trading.audit.tables import audit_entry
from trading.experts import queries as experts
from trading.experts.rules.specialties import Tree
from trading.experts.tables import expert, panel_name
from trading.kernel.errors import NotFound
from trading.pool.tables import (
    appraisal,
    pool_dossier,
    pool_file,
    pool_import,
    pool_note,
    pool_sanction,
)

PAGE: Final = 50
OPEN_STATES: Final = ("asked", "waiting", "admitted")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """One file of the pool, without its person. Instants in ms."""

    number: str
    entry_id: int
    commit: bytes
    regime: str
    via: str
    batch: str | None
    state: str
    rule: str | None
    until: int | None
    trained_at: int | None
    standing: str | None = None  # in the register: active, suspended, removed; None: not in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some rows in order, and where the next page begins; None after the last one."""

    rows: tuple[FileRow, ...]
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SanctionRow:
    """One sanction, with its reason where the reader may see it."""

    measure: str
    rule: str
    amount: int | None
    until: int | None
    at: int
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppraisalRow:
    """One appraisal; ``seat`` is the only name of its expert before the result."""

    procedure_id: int
    seat: str
    marks: str
    remark: str
    late: bool
    answer: str | None
    rating: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRow:
    """How far an import is."""

    batch: str
    account: str
    format: str
    regime: str
    mode: str
    state: str
    rows_read: int
    rows_good: int
    rows_taken: int
    created_at: int


_FILE: Final = (
    pool_file.c.number,
    pool_file.c.entry_id,
    pool_file.c.commit,
    pool_file.c.regime,
    pool_file.c.via,
    pool_file.c.batch,
    pool_file.c.state,
    pool_file.c.rule,
    pool_file.c.until,
    pool_file.c.trained_at,
    expert.c.state.label("standing"),
)
_FILES: Final = pool_file.outerjoin(expert, expert.c.expert_id == pool_file.c.number)


def _file(row: RowMapping) -> FileRow:
    return FileRow(**{**row, "commit": bytes(row["commit"])})


def find(conn: Connection, number: str) -> FileRow:
    """Return one file.

    Raises:
        NotFound: There is none.
    """
    query = select(*_FILE).select_from(_FILES).where(pool_file.c.number == number)
    row = conn.execute(query).mappings().one_or_none()
    if row is None:
        raise NotFound(number)
    return _file(row)


def inbox(conn: Connection, after: str | None = None, *, state: str = "waiting", size: int = PAGE) -> Page:
    """Return what waits for a regulator in the order of arrival; ``after`` is the mark of the page before."""
    query = select(*_FILE).select_from(_FILES).where(pool_file.c.state == state)
    if after:
        entry, _, number = after.partition(".")
        place = int(entry) if entry.isdecimal() and len(entry) < 19 else 0  # noqa: PLR2004 - digits of a row number
        query = query.where(tuple_(pool_file.c.entry_id, pool_file.c.number) > tuple_(place, number))
    ordered = query.order_by(pool_file.c.entry_id, pool_file.c.number)
    return _page(conn, ordered, size, lambda row: f"{row.entry_id}.{row.number}")


def by_number(conn: Connection, prefix: str = "", after: str | None = None, *, size: int = PAGE) -> Page:
    """Return files by pool number, all or those that begin with ``prefix``."""
    query = select(*_FILE).select_from(_FILES)
    if prefix:
        query = query.where(pool_file.c.number >= prefix, pool_file.c.number < prefix + "\U0010ffff")
    if after:
        query = query.where(pool_file.c.number > after)
    return _page(conn, query.order_by(pool_file.c.number), size, lambda row: row.number)


def ending(conn: Connection, before: int, after: str | None = None, *, size: int = PAGE) -> Page:
    """Return appointments that end before an instant, the soonest first."""
    query = select(*_FILE).select_from(_FILES).where(pool_file.c.state == "admitted", pool_file.c.until < before)
    if after:
        until, _, number = after.partition(".")
        place = int(until) if until.isdecimal() and len(until) < 19 else 0  # noqa: PLR2004 - as above
        query = query.where(tuple_(pool_file.c.until, pool_file.c.number) > tuple_(place, number))
    return _page(
        conn, query.order_by(pool_file.c.until, pool_file.c.number), size, lambda row: f"{row.until}.{row.number}"
    )


def by_name(conn: Connection, prefix: str, *, size: int = PAGE) -> list[tuple[str, str]]:
    """Return (name, number) of the files whose name begins with ``prefix``, as far as this transaction may read them.

    A range and not a pattern: the operators of a range are leakproof, so row-level security leaves the index usable.
    """
    d = pool_dossier.c
    query = select(d.name, d.number).where(d.name >= prefix, d.name < prefix + "\U0010ffff")
    return [(row.name, row.number) for row in conn.execute(query.order_by(d.name, d.number).limit(size))]


def _page(conn: Connection, query: Select[Any], size: int, mark: Any) -> Page:  # noqa: ANN401 - a row to its mark
    rows = [_file(row) for row in conn.execute(query.limit(size + 1)).mappings()]
    shown = tuple(rows[:size])
    return Page(rows=shown, after=mark(shown[-1]) if len(rows) > size else None)


def files_of(conn: Connection, numbers: Collection[str]) -> dict[str, FileRow]:
    """Return files by number."""
    query = select(*_FILE).select_from(_FILES).where(pool_file.c.number.in_(list(numbers)))
    return {row["number"]: _file(row) for row in conn.execute(query).mappings()}


def dossier(conn: Connection, number: str) -> str | None:
    """Return the text of a dossier, if this transaction may read it."""
    return conn.execute(select(pool_dossier.c.body).where(pool_dossier.c.number == number)).scalar_one_or_none()


def numbers_of(conn: Connection, account: str) -> list[str]:
    """Return the files of a person, the newest first; the transaction is his."""
    query = select(pool_dossier.c.number).where(pool_dossier.c.account == account)
    return list(conn.execute(query.order_by(pool_dossier.c.entry_id.desc())).scalars())


def numbers_of_person(conn: Connection, identity_no: str) -> list[str]:
    """Return every file of a human being, as far as this transaction may read them."""
    query = select(pool_dossier.c.number).where(pool_dossier.c.identity_no == identity_no)
    return list(conn.execute(query.order_by(pool_dossier.c.entry_id.desc())).scalars())


def asked_of(conn: Connection, employer: str) -> list[str]:
    """Return the applications that wait for the recommendation of an employer; the transaction is his."""
    query = (
        select(pool_dossier.c.number)
        .join(pool_file, pool_file.c.number == pool_dossier.c.number)
        .where(pool_dossier.c.employer == employer, pool_file.c.state == "asked")
        .order_by(pool_dossier.c.entry_id)
    )
    return list(conn.execute(query.limit(PAGE)).scalars())


def persons_known(conn: Connection, identity_numbers: Collection[str]) -> frozenset[str]:
    """Return those identity numbers whose person has an open file, as far as this transaction may read."""
    query = (
        select(pool_dossier.c.identity_no)
        .join(pool_file, pool_file.c.number == pool_dossier.c.number)
        .where(pool_dossier.c.identity_no.in_(list(identity_numbers)), pool_file.c.state.in_(OPEN_STATES))
    )
    return frozenset(conn.execute(query).scalars())


def punishments(conn: Connection, numbers: Sequence[str]) -> list[SanctionRow]:
    """Return the sanctions in some files without their reasons."""
    if not numbers:
        return []  # most of those who apply have no file yet: a hundred thousand rows need not ask
    s = pool_sanction.c
    query = select(s.measure, s.rule, s.amount, s.until, s.at).where(s.number.in_(list(numbers)))
    return [SanctionRow(**row._mapping, reason=None) for row in conn.execute(query)]


def sanctions(conn: Connection, numbers: Sequence[str]) -> list[SanctionRow]:
    """Return the sanctions in some files, the newest first; reasons only where this transaction may read them."""
    s = pool_sanction.c
    query = (
        select(s.measure, s.rule, s.amount, s.until, s.at, pool_note.c.text)
        .outerjoin(pool_note, (pool_note.c.entry_id == s.entry_id) & (pool_note.c.number == s.number))
        .where(s.number.in_(list(numbers)))
        .order_by(s.at.desc())
    )
    return [
        SanctionRow(measure=row[0], rule=row[1], amount=row[2], until=row[3], at=row[4], reason=row[5])
        for row in conn.execute(query)
    ]


_APPRAISAL: Final = (
    appraisal.c.procedure_id,
    appraisal.c.seat,
    appraisal.c.marks,
    appraisal.c.remark,
    appraisal.c.late,
    appraisal.c.answer,
    appraisal.c.rating,
)


def appraisals(conn: Connection, procedure_id: int) -> dict[str, AppraisalRow]:
    """Return the appraisals of a procedure by seat."""
    query = select(*_APPRAISAL).where(appraisal.c.procedure_id == procedure_id)
    return {row.seat: AppraisalRow(**row._mapping) for row in conn.execute(query)}


def reported_at(conn: Connection, procedure_id: int) -> int | None:
    """Return the instant at which the report of the evaluation was signed by all, or None."""
    query = select(audit_entry.c.record).where(
        audit_entry.c.procedure_id == procedure_id, audit_entry.c.kind == "evaluation.reported"
    )
    found = conn.execute(query.order_by(audit_entry.c.id.desc()).limit(1)).scalar_one_or_none()
    return None if found is None else int(parse_record(bytes(found))["at"])


def credit_file(conn: Connection, number: str) -> list[AppraisalRow]:
    """Return the appraisals of an expert whose seats have been disclosed (EXP-14): until then nobody can tell."""
    query = (
        select(*_APPRAISAL)
        .join(panel_name, panel_name.c.seat == appraisal.c.seat)
        .where(panel_name.c.leaf.isnot(None), func.record.leaf_number(panel_name.c.leaf) == number)
        .order_by(appraisal.c.entry_id.desc())
    )
    return [AppraisalRow(**row._mapping) for row in conn.execute(query)]


def tree(conn: Connection) -> Tree:
    """Return the specialty tree in force, which plans of committees choose from, too."""
    return experts.specialties(conn)


_IMPORT: Final = (
    pool_import.c.batch,
    pool_import.c.account_id.label("account"),
    pool_import.c.format,
    pool_import.c.regime,
    pool_import.c.mode,
    pool_import.c.state,
    pool_import.c.rows_read,
    pool_import.c.rows_good,
    pool_import.c.rows_taken,
    pool_import.c.created_at,
)


def imports(conn: Connection, account: str) -> list[ImportRow]:
    """Return the imports of a person, the newest first."""
    query = select(*_IMPORT).where(pool_import.c.account_id == account).order_by(pool_import.c.created_at.desc())
    return [ImportRow(**row._mapping) for row in conn.execute(query.limit(PAGE))]


def import_of(conn: Connection, batch: str) -> tuple[ImportRow, bytes | None]:
    """Return an import with its report, once it is checked.

    Raises:
        NotFound: There is none.
    """
    row = conn.execute(select(*_IMPORT, pool_import.c.report).where(pool_import.c.batch == batch)).one_or_none()
    if row is None:
        raise NotFound(batch)
    fields = {name: value for name, value in row._mapping.items() if name != "report"}
    return ImportRow(**fields), None if row.report is None else bytes(row.report)


def own_import(conn: Connection, batch: str, account: str) -> tuple[ImportRow, bytes | None]:
    """Return an import that a person brought.

    Raises:
        NotFound: He has none of that name.
    """
    found = import_of(conn, batch)
    if found[0].account != account:
        raise NotFound(batch)
    return found


def persons_punished(conn: Connection, identity_numbers: Collection[str]) -> frozenset[str]:
    """Return those identity numbers whose person has a sanction, as far as this transaction may read."""
    query = (
        select(pool_dossier.c.identity_no)
        .join(pool_sanction, pool_sanction.c.number == pool_dossier.c.number)
        .where(pool_dossier.c.identity_no.in_(list(identity_numbers)))
    )
    return frozenset(conn.execute(query).scalars())
