"""The sitting of the committee: findings, votes, sheets, report; and the ranking of a lot and stage.

``sheet_signature`` holds what a member signs: a salted digest. ``score_sheet`` holds what is handed in, and PostgreSQL
takes no row of it before every member who sits has signed, nor any other bytes than those that were signed (migration
0014). Until ``scoring.opened`` is true a sheet shows itself to its own seat alone, whoever asks with whatever role.
"""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    TableClause,
    Text,
    UniqueConstraint,
    column,
    table,
)
from sqlalchemy.schema import SchemaItem

from trading.db import entry_column, metadata


def _recorded(name: str, *columns: SchemaItem, shown: TableClause | None = None) -> Table:
    """Return a table of the record with the columns that all tables of an evaluation share.

    ``shown`` is what an auditor sees of it, if not the table.
    """
    procedure = Column("procedure_id", BigInteger, ForeignKey("record.procedure.id"), nullable=False)
    identity = Column("id", BigInteger, primary_key=True, autoincrement=False)
    info = {} if shown is None else {"shown": shown}
    return Table(name, metadata, identity, entry_column(), procedure, *columns, schema="record", info=info)


def _place() -> tuple[Column[str], Column[str]]:
    return Column("lot", Text, nullable=False), Column("stage", Text, nullable=False)


ranking = _recorded(
    "ranking",
    *_place(),
    Column("method", Text, nullable=False),
    Column("items", LargeBinary, nullable=False),  # canonical JSON, as in the body of bids.ranked
    Column("tie", LargeBinary, nullable=False),  # canonical JSON, null or object
    Column("h", LargeBinary, nullable=False),  # commitment of bids.ranked
    UniqueConstraint("procedure_id", "lot", "stage"),
)

sitting = _recorded(
    "sitting",
    Column("seats", ARRAY(Text), nullable=False),  # of the members who sit now
    Column("started_at", BigInteger, nullable=False),
    Column("report_number", Integer, nullable=False),  # of the report to be signed, 0 while there is none
    Column("reported_at", BigInteger, nullable=True),  # when the last member signed the newest report
    Column("sealed_at", BigInteger, nullable=True),  # since when it stands still because a seat cannot be filled
    Column("extensions", Integer, nullable=False),
    UniqueConstraint("procedure_id"),
)

time_vote = _recorded(
    "time_vote",
    Column("round", Integer, nullable=False),  # extensions before it
    Column("seat", Text, nullable=False),
    UniqueConstraint("procedure_id", "round", "seat"),
)

examination = _recorded(
    "examination",
    *_place(),
    Column("bid_reference", Text, nullable=False),
    Column("step", Text, nullable=False),  # qualification, conformity, price
    Column("outcome", Text, nullable=False),  # conforming, invalid
    Column("preference", Text, nullable=True),  # small_micro, consortium
    Column("reason", Text, nullable=True),
    Column("deviations", LargeBinary, nullable=True),  # canonical JSON, as in the body of bid.examined (MET-05)
    Column("void", Boolean, nullable=False),  # found by a majority of which a member was replaced (EXP-17)
    UniqueConstraint("procedure_id", "lot", "stage", "bid_reference", "step"),
)

examination_vote = _recorded(
    "examination_vote",
    *_place(),
    Column("bid_reference", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("seat", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("grants", Boolean, nullable=False),
    Column("reason", Text, nullable=True),
    Column("deviations", LargeBinary, nullable=True),
    Column("void", Boolean, nullable=False),
    UniqueConstraint("procedure_id", "lot", "stage", "bid_reference", "step", "seat"),
)

explanation = _recorded(
    "explanation",
    *_place(),
    Column("bid_reference", Text, nullable=False),
    Column("triggers", ARRAY(Text), nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("text", Text, nullable=True),
    UniqueConstraint("procedure_id", "lot", "stage", "bid_reference"),
)

sheet_signature = _recorded(
    "sheet_signature",
    *_place(),
    Column("seat", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("sheet_commit", LargeBinary, nullable=False),  # SHA-256 of the sheet, which holds a salt
    Column("handed_in", Boolean, nullable=False),
    Column("void", Boolean, nullable=False),
    Column("bids", ARRAY(Text), nullable=True),  # that conformed when it was signed; older ones do not say
    Column("echo", LargeBinary, nullable=True),  # shows that the sheet is there, while it is not handed in (ADR 0078)
    UniqueConstraint("procedure_id", "lot", "stage", "seat", "version"),
)

sheet_renewal = _recorded(
    "sheet_renewal",
    *_place(),
    Column("seat", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("reason", Text, nullable=False),  # of the member who cannot hand in what was signed
    Column("answer", Text, nullable=True),  # of the supervisor who made the signature void
    UniqueConstraint("procedure_id", "lot", "stage", "seat", "version"),
)

_SHEET_KEY = ("lot", "stage", "seat", "version")
signed_sheet = table(
    "signed_sheet", *map(column, ("id", "entry_id", "procedure_id", *_SHEET_KEY, "sheet_sha256")), schema="record"
)

score_sheet = _recorded(
    "score_sheet",
    *_place(),
    Column("seat", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("bytes", LargeBinary, nullable=False),  # mb.score-sheet
    UniqueConstraint("procedure_id", *_SHEET_KEY),
    shown=signed_sheet,
)

scoring = _recorded(
    "scoring",
    *_place(),
    Column("opened", Boolean, nullable=False),
    Column("sheets", ARRAY(Text), nullable=False),  # SHA-256 of the sheets that count, sorted
    UniqueConstraint("procedure_id", "lot", "stage"),
)

masking = _recorded(
    "masking",
    *_place(),
    Column("commit", LargeBinary, nullable=False),  # to the seed of the letters
    Column("bids", ARRAY(Text), nullable=False),  # sorted
    Column("masks", LargeBinary, nullable=True),  # canonical JSON, as in the body of masks.revealed; null before it
    UniqueConstraint("procedure_id", "lot", "stage"),
)

recheck_explanation = _recorded(
    "recheck_explanation",
    *_place(),
    Column("bid_reference", Text, nullable=False),
    Column("criterion", Text, nullable=False),
    Column("seat", Text, nullable=False),
    Column("reason", Text, nullable=False),
    UniqueConstraint("procedure_id", "lot", "stage", "bid_reference", "criterion", "seat"),
)

evaluation_report = _recorded(
    "evaluation_report",
    Column("number", Integer, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    UniqueConstraint("procedure_id", "number"),
)

report_signature = _recorded(
    "report_signature",
    Column("number", Integer, nullable=False),
    Column("seat", Text, nullable=False),
    Column("dissent", Text, nullable=True),
    UniqueConstraint("procedure_id", "number", "seat"),
)

# What the letters of masked bidders follow from, until it is disclosed; the record has a commitment to it.
mask_seed = Table(
    "mask_seed",
    metadata,
    Column("procedure_id", BigInteger, primary_key=True, autoincrement=False),
    Column("lot", Text, primary_key=True),
    Column("stage", Text, primary_key=True),
    Column("seed", LargeBinary, nullable=False),
    schema="desk",
)

# The files of opened bids: what each is, and what was found before anybody saw it. The record has their list's digest.
opened_file = Table(
    "opened_file",
    metadata,
    Column("bid_reference", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("sha256", LargeBinary, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("findings", ARRAY(Text), nullable=False),
    Column("preview", Text, nullable=False),
    schema="desk",
)

# Pages of opened files as images, for those who read them: made from the file, which alone counts, and made anew.
opened_drawing = Table(
    "opened_drawing",
    metadata,
    Column("bid_reference", Text, primary_key=True),
    Column("sha256", LargeBinary, primary_key=True),  # of the file
    Column("pages", Integer, nullable=False),
    Column("finished", Boolean, nullable=False),  # nothing more is drawn, though pages may be missing
    schema="desk",
)

opened_page = Table(
    "opened_page",
    metadata,
    Column("bid_reference", Text, primary_key=True),
    Column("sha256", LargeBinary, primary_key=True),  # of the file
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("large", LargeBinary, nullable=True),  # SHA-256 of the PNG; null for a page that could not be drawn
    Column("small", LargeBinary, nullable=True),
    Column("width", Integer, nullable=False),  # pixels of the large one
    Column("height", Integer, nullable=False),
    Column("text", Text, nullable=False),
    schema="desk",
)
