"""Read side of an evaluation: rankings, and the sitting of the committee with its findings, votes, sheets and report.

Whoever reads sheets or drafts of a seat that have not been opened must first say which seat it is, ``as_seat``; nobody
else sees a row (migration 0006).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, select

from trading.audit.queries import entry_by_id
from trading.evaluation.rules.examination import Finding, Outcome, Step, Vote, read_deviations
from trading.evaluation.rules.finding import packed
from trading.evaluation.rules.sheets import Score
from trading.evaluation.tables import (
    evaluation_report,
    examination,
    examination_vote,
    explanation,
    opened_drawing,
    opened_file,
    opened_page,
    ranking,
    recheck_explanation,
    report_signature,
    score_draft,
    score_sheet,
    scoring,
    sheet_signature,
    sitting,
    time_vote,
)
from trading.inspection.findings import Found, Verdict, verdict_of
from trading.kernel.canonical import loads, loads_object
from trading.kernel.errors import IntegrityFailure
from trading.openings.model import Place
from trading.procedures.tables import lot as lot_table
from trading.procedures.tables import procedure

_SEEN: Final = ("opened", "evaluated", "determined", "concluded")


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingRow:
    """A stored ranking; ``items`` and ``tie`` as in the record, ``h`` its commitment in hex."""

    method: str
    items: list[dict[str, Any]]
    tie: dict[str, Any] | None
    h: str

    @property
    def first(self) -> dict[str, Any]:
        """Return the item of rank 1."""
        return next(item for item in self.items if item["rank"] == 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SittingRow:
    """The committee as it sits; instants in ms, ``report_number`` 0 while there is no report to sign."""

    seats: tuple[str, ...]
    started_at: int
    report_number: int
    reported_at: int | None
    sealed_at: int | None  # stopped and sealed since (EXP-18)
    extensions: int  # how often the time was extended (EXP-19)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """A finding that holds, or one that became ``void`` with the replacement of a member (EXP-17)."""

    finding: Finding
    reason: str | None
    void: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationRow:
    """A price that the bidder has to explain; ``due_at`` in ms, ``text`` None until it did."""

    triggers: tuple[str, ...]
    due_at: int
    text: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureRow:
    """The newest signed version of one member's sheet; ``sheet_commit`` in hex."""

    seat: str
    version: int
    sheet_commit: str
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    """A report and its signatures: seat to dissent, None for agreement."""

    number: int
    sha256: str
    signatures: dict[str, str | None]


def ranking_of(conn: Connection, procedure_id: int, lot: str, stage: str) -> RankingRow | None:
    """Return the ranking of a lot and stage, or None."""
    query = select(ranking.c.method, ranking.c["items"], ranking.c.tie, ranking.c.h).where(
        ranking.c.procedure_id == procedure_id, ranking.c.lot == lot, ranking.c.stage == stage
    )
    row = conn.execute(query).one_or_none()
    if row is None:
        return None
    items: Any = loads(bytes(row._mapping["items"]))
    tie: Any = loads(bytes(row.tie))
    return RankingRow(method=row.method, items=items, tie=tie, h=bytes(row.h).hex())


def as_seat(conn: Connection, seat: str) -> None:
    """Tell row-level security which seat reads in this transaction; the caller knows whose seat it is."""
    conn.execute(select(func.set_config("mingbiao.actor", member_account(seat), True)))  # noqa: FBT003 - this transaction


def member_account(seat: str) -> str:
    """Return the name under which a member acts: never an account (EXP-14)."""
    return f"expert:{seat}"


def sitting_of(conn: Connection, procedure_id: int) -> SittingRow | None:
    """Return the sitting of a procedure, None before it has begun."""
    row = conn.execute(select(sitting).where(sitting.c.procedure_id == procedure_id)).one_or_none()
    if row is None:
        return None
    return SittingRow(
        seats=tuple(row.seats),
        started_at=row.started_at,
        report_number=row.report_number,
        reported_at=row.reported_at,
        sealed_at=row.sealed_at,
        extensions=row.extensions,
    )


def time_votes(conn: Connection, procedure_id: int, number: int) -> frozenset[str]:
    """Return the seats that found the time too short in one round of the vote."""
    query = select(time_vote.c.seat).where(time_vote.c.procedure_id == procedure_id, time_vote.c.round == number)
    return frozenset(conn.execute(query).scalars())


def procedures_of(conn: Connection, organisation: str | None) -> list[str]:
    """Return the references of an agency's or buyer's procedures of which a lot is opened or further, newest first."""
    query = (
        select(procedure.c.reference)
        .join(lot_table, lot_table.c.procedure_id == procedure.c.id)
        .where(
            (procedure.c.agency_code == organisation) | (procedure.c.buyer_code == organisation),
            lot_table.c.phase.in_(_SEEN),
        )
        .group_by(procedure.c.reference, procedure.c.published_at)
        .order_by(procedure.c.published_at.desc(), procedure.c.reference)
    )
    return list(conn.execute(query).scalars())


def findings_of(conn: Connection, place: Place) -> list[FindingRow]:
    """Return the findings about the bids of a lot, by bid and step."""
    query = select(examination).where(*_here(examination, place))
    return [
        FindingRow(
            finding=Finding(bid=row.bid_reference, step=Step(row.step), preference=row.preference, **_found(row)),
            reason=row.reason,
            void=row.void,
        )
        for row in conn.execute(query.order_by(examination.c.bid_reference, examination.c.step))
    ]


def _found(row: Any) -> dict[str, Any]:  # noqa: ANN401 - a row of findings or votes
    return {"deviations": read_deviations(row.deviations), "outcome": Outcome(row.outcome)}


def votes_of(conn: Connection, place: Place, step: Step) -> dict[str, dict[str, Vote]]:
    """Return the votes of a step that count: bid → seat → vote."""
    query = select(examination_vote).where(
        *_here(examination_vote, place), examination_vote.c.step == step, ~examination_vote.c.void
    )
    found: dict[str, dict[str, Vote]] = {}
    for row in conn.execute(query.order_by(examination_vote.c.bid_reference, examination_vote.c.seat)):
        vote = Vote(seat=row.seat, grants=row.grants, reason=row.reason or "", **_found(row))
        found.setdefault(row.bid_reference, {})[row.seat] = vote
    return found


def explanations_of(conn: Connection, place: Place) -> dict[str, ExplanationRow]:
    """Return the prices of a lot that must be explained, by bid."""
    rows = conn.execute(select(explanation).where(*_here(explanation, place)))
    return {
        row.bid_reference: ExplanationRow(triggers=tuple(row.triggers), due_at=row.due_at, text=row.text)
        for row in rows
    }


def signatures_of(conn: Connection, place: Place) -> dict[str, SignatureRow]:
    """Return the newest version of every seat that signed its sheet and still sits."""
    query = select(sheet_signature).where(*_here(sheet_signature, place), ~sheet_signature.c.void)
    return {
        row.seat: SignatureRow(
            seat=row.seat, version=row.version, sheet_commit=bytes(row.sheet_commit).hex(), reason=row.reason
        )
        for row in conn.execute(query.order_by(sheet_signature.c.version))
    }


def scoring_of(conn: Connection, place: Place) -> tuple[str, ...] | None:
    """Return the SHA-256 of the sheets that are open, None while they are closed."""
    query = select(scoring.c.sheets).where(*_here(scoring, place), scoring.c.opened)
    found = conn.execute(query).scalar_one_or_none()
    return None if found is None else tuple(found)


def was_opened(conn: Connection, place: Place, sheet_commit: str) -> bool:
    """Whether a sheet has been open before, even if a replacement has closed the scores of the lot again."""
    found = conn.execute(select(scoring.c.sheets).where(*_here(scoring, place))).scalar_one_or_none()
    return found is not None and sheet_commit in found


def sheet_documents(conn: Connection, place: Place) -> list[tuple[str, int, bytes]]:
    """Return seat, version and bytes of every sheet that this transaction may see."""
    query = select(score_sheet.c.seat, score_sheet.c.version, score_sheet.c.bytes).where(*_here(score_sheet, place))
    rows = conn.execute(query.order_by(score_sheet.c.seat, score_sheet.c.version))
    return [(row.seat, row.version, bytes(row.bytes)) for row in rows]


def drafts_of(conn: Connection, place: Place, seat: str) -> dict[str, dict[str, Score]]:
    """Return what a member has typed: bid → criterion → cell, unchecked; after ``as_seat`` only."""
    query = select(score_draft).where(*_here(score_draft, place), score_draft.c.seat == seat)
    found: dict[str, dict[str, Score]] = {}
    for row in conn.execute(query):
        cell = Score(points=row.points, comment=row.comment or None)
        found.setdefault(row.bid_reference, {})[row.criterion] = cell
    return found


def recheck_explanations(conn: Connection, place: Place) -> dict[tuple[str, str, str], str]:
    """Return the explanations of unusual scores: (bid, criterion, seat) → words."""
    query = select(recheck_explanation).where(*_here(recheck_explanation, place))
    return {(row.bid_reference, row.criterion, row.seat): row.reason for row in conn.execute(query)}


def report_of(conn: Connection, procedure_id: int) -> ReportRow | None:
    """Return the newest report of a procedure with its signatures, None before the first."""
    query = select(evaluation_report).where(evaluation_report.c.procedure_id == procedure_id)
    row = conn.execute(query.order_by(evaluation_report.c.number.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    signed = select(report_signature.c.seat, report_signature.c.dissent).where(
        report_signature.c.procedure_id == procedure_id, report_signature.c.number == row.number
    )
    signatures = {each.seat: each.dissent for each in conn.execute(signed.order_by(report_signature.c.seat))}
    return ReportRow(number=row.number, sha256=bytes(row.sha256).hex(), signatures=signatures)


def _here(table: Any, place: Place) -> tuple[Any, ...]:  # noqa: ANN401 - a table with these columns
    columns = table.c
    return columns.procedure_id == place.procedure_id, columns.lot == place.lot, columns.stage == place.stage


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedFile:
    """One file of an opened bid: its path in the bid, SHA-256 (hex) and size in bytes, and what was found in it."""

    path: str
    sha256: str
    size: int
    kind: str
    findings: tuple[Found, ...]
    preview: str

    @property
    def verdict(self) -> Verdict:
        """Return what may happen with it."""
        return verdict_of(self.findings)


def files_of(conn: Connection, bid: str) -> tuple[OpenedFile, ...] | None:
    """Return the files of an opened bid by path; None while they have not all been inspected."""
    query = select(opened_file).where(opened_file.c.bid_reference == bid).order_by(opened_file.c.path)
    found = tuple(
        OpenedFile(
            path=row.path,
            sha256=bytes(row.sha256).hex(),
            size=row.size,
            kind=row.kind,
            findings=tuple(Found(each) for each in row.findings),
            preview=row.preview,
        )
        for row in conn.execute(query)
    )
    return found or None


def stored_files(conn: Connection) -> set[str]:
    """Return the SHA-256 (hex) of what is stored of opened bids: files that were not kept away, and drawn pages.

    A part without files is told as one empty file, and is not stored in clear.
    """
    columns = (opened_file.c.sha256, opened_file.c.size, opened_file.c.kind, opened_file.c.findings)
    stored = set()
    for row in conn.execute(select(*columns)):
        is_part = row.kind == "empty" and row.size > 0
        if not is_part and verdict_of([Found(each) for each in row.findings]) is not Verdict.QUARANTINED:
            stored.add(bytes(row.sha256).hex())
    for page in conn.execute(select(opened_page.c.large, opened_page.c.small).where(opened_page.c.large.is_not(None))):
        stored |= {bytes(page.large).hex(), bytes(page.small).hex()}
    return stored


def completed_opening(conn: Connection, entry_id: int) -> dict[str, Any]:
    """Return the record ``opening.completed`` of an entry.

    Raises:
        IntegrityFailure: There is none.
    """
    entry = entry_by_id(conn, entry_id)
    if entry is None:
        raise IntegrityFailure(f"entry {entry_id} is gone")
    return loads_object(entry.record)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnFile:
    """How far the pages of one file are drawn: ``drawn`` of ``pages`` are looked at, ``missing`` could not be drawn."""

    sha256: str
    pages: int
    finished: bool
    drawn: int
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnPage:
    """One page: its number in its file, SHA-256 (hex) of both sizes or None, pixels of the larger one, and its text."""

    number: int
    large: str | None
    small: str | None
    width: int
    height: int
    text: str


def drawings_of(conn: Connection, bid: str) -> dict[str, DrawnFile]:
    """Return how far the files of a bid are drawn, by the SHA-256 (hex) of the file; those that are not begun lack."""
    counted = (
        select(
            opened_page.c.sha256,
            func.count().label("drawn"),
            func.count().filter(opened_page.c.large.is_(None)).label("missing"),
        )
        .where(opened_page.c.bid_reference == bid)
        .group_by(opened_page.c.sha256)
    )
    pages = {bytes(row.sha256): (row.drawn, row.missing) for row in conn.execute(counted)}
    found = {}
    for row in conn.execute(select(opened_drawing).where(opened_drawing.c.bid_reference == bid)):
        drawn, missing = pages.get(bytes(row.sha256), (0, 0))
        name = bytes(row.sha256).hex()
        found[name] = DrawnFile(sha256=name, pages=row.pages, finished=row.finished, drawn=drawn, missing=missing)
    return found


def drawn_page(conn: Connection, bid: str, sha256: str, number: int) -> DrawnPage | None:
    """Return one page of a file of a bid, None if it has not been looked at."""
    query = select(opened_page).where(
        opened_page.c.bid_reference == bid,
        opened_page.c.sha256 == bytes.fromhex(sha256),
        opened_page.c.number == number,
    )
    row = conn.execute(query).one_or_none()
    if row is None:
        return None
    large, small = (None if each is None else bytes(each).hex() for each in (row.large, row.small))
    return DrawnPage(number=row.number, large=large, small=small, width=row.width, height=row.height, text=row.text)


def pages_with(conn: Connection, bid: str, words: str, most: int) -> list[tuple[str, int, str]]:
    """Return (file, number, text) of at most ``most`` pages of a bid whose text has ``words`` (``rules.finding``)."""
    text = func.regexp_replace(func.lower(opened_page.c.text), r"\s+", "", "g")
    query = (
        select(opened_page.c.sha256, opened_page.c.number, opened_page.c.text)
        .where(opened_page.c.bid_reference == bid, text.contains(packed(words), autoescape=True))
        .order_by(opened_page.c.sha256, opened_page.c.number)
        .limit(most)
    )
    return [(bytes(row.sha256).hex(), row.number, row.text) for row in conn.execute(query)]
