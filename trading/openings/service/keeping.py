"""What the agent of a custodian has done and what waits for it, for the people of its institution. Read only.

The share key stays in the agent; nothing here could release anything. Rehearsals are never told: who rehearses means to
bid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, LargeBinary, Select, Table, func, literal, select

from trading.audit.ledger import Ledger
from trading.custody.queries import KeyRow, WaitingJob, key_of
from trading.custody.queries import job as custody_job
from trading.custody.rules.jobs import JobKind
from trading.custody.tables import custodian_job, custodian_key, custodian_nonce
from trading.documents.cache import DOCUMENTS
from trading.kernel.errors import NotFound
from trading.kernel.roles import Actor
from trading.openings import queries
from trading.openings.model import Place
from trading.openings.queries import OpeningRow
from trading.openings.rules.answers import parse_share_check
from trading.openings.rules.windows import WindowLengths
from trading.openings.service.documents import stored_document
from trading.parties.model import SigningKey
from trading.parties.queries import keys_of
from trading.procedures.tables import lot, procedure

#: Kinds that a page tells at any time; the others say that somebody bids.
_AT_ONCE: Final = frozenset({JobKind.KEY.value, JobKind.PROVE.value, JobKind.ADMIT.value})
_SINCE_ORDER: Final = frozenset({JobKind.CHECK.value, JobKind.RELEASE.value, JobKind.DISCLOSE.value})
_AFTER: Final = frozenset({JobKind.NON_RELEASE.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One job of the agent: its id, what it asks, since when (ms, None if unknown), and when it was answered.

    ``refusal`` is the code of why the agent did not answer when it last tried, at ``refused_at`` (ms).
    """

    id: str
    kind: str
    since: int | None
    ends_at: int | None
    answered_at: int | None
    refused_at: int | None = None
    refusal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One lot whose share key the institution keeps."""

    key: KeyRow
    reference: str
    title_zh: str
    title_en: str
    lot_zh: str
    lot_en: str
    phase: str
    close_at: int | None
    opening: OpeningRow | None
    custodian: int | None
    k: int | None
    n: int | None
    tasks: tuple[Task, ...]
    codes: tuple[str, ...]  # what its share check found, one for each bid of the order
    released: int  # custodians that have released so far, this one included
    checked_by: int
    destroyed_at: int | None = None  # its share key, by its own signed statement (S12)

    @property
    def waiting(self) -> tuple[Task, ...]:
        """Return what is not answered yet."""
        return tuple(task for task in self.tasks if task.answered_at is None)

    def task(self, kind: str) -> Task | None:
        """Return the newest task of a kind."""
        return next((task for task in reversed(self.tasks) if task.kind == kind), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Everything of one institution: its signing keys, when its agent last asked for work (ms), and its lots."""

    keys: tuple[SigningKey, ...]
    polled_at: int | None
    lots: tuple[Kept, ...]


def keeping(ledger: Ledger, actor: Actor) -> Keeping:
    """Return what the institution of ``actor`` keeps, the newest deadline first."""
    with ledger.upkeep() as conn:  # the reading role may not see nonces, which tell when an agent asked last
        keys = tuple(keys_of(conn, actor.organisation or "", "custodian"))
        kids = [key.kid for key in keys]
        polled = select(func.max(custodian_nonce.c.created)).where(custodian_nonce.c.kid.in_(kids))
        return Keeping(keys=keys, polled_at=conn.execute(polled).scalar(), lots=tuple(_lots(conn, kids)))


def kept(found: Keeping, reference: str, number: str) -> Kept:
    """Return one lot.

    Raises:
        NotFound: The institution keeps no share key of it.
    """
    for each in found.lots:
        if (each.reference, each.key.lot) == (reference, number):
            return each
    raise NotFound(reference)


def exchange(ledger: Ledger, actor: Actor, job_id: str) -> tuple[Kept, Task, WaitingJob, SigningKey]:
    """Return what people carry to and from an agent without a network: a job of theirs that a page may tell.

    Raises:
        NotFound: No such job of the institution, or one that nobody may know of.
    """
    found = keeping(ledger, actor)
    with ledger.read() as conn:
        job = custody_job(conn, job_id)
    for each in found.lots:
        for task in each.tasks:
            if job is not None and task.id == job_id:
                return each, task, job, next(key for key in found.keys if key.kid == job.kid)
    raise NotFound("job")


def institution_key(found: Keeping, lot: Kept) -> SigningKey:
    """Return the signing key of the institution under which it keeps the share key of a lot."""
    return next(key for key in found.keys if key.kid == lot.key.kid)


def _lots(conn: Connection, kids: Sequence[str]) -> list[Kept]:
    """Return the lots whose share key the institution keeps or is asked to make."""
    query = _of_lots(select(custodian_key, *_OF_LOT), custodian_key).where(custodian_key.c.kid.in_(kids))
    query = query.order_by(lot.c.close_at.desc().nulls_first(), procedure.c.reference, lot.c.number)
    return [_kept(conn, row) for row in (*conn.execute(_asked(kids)), *conn.execute(query))]


_OF_LOT: Final = (
    procedure.c.reference, procedure.c.title_zh, procedure.c.title_en, lot.c.title_zh.label("lot_zh"),
    lot.c.title_en.label("lot_en"), lot.c.phase, lot.c.close_at, lot.c.policy_sha256, lot.c.schedule_sha256,
)  # fmt: skip


def _of_lots(query: Select[Any], table: Table) -> Select[Any]:
    """Join rows that name a lot with what is known of it."""
    return query.join(procedure, procedure.c.id == table.c.procedure_id).join(
        lot,
        (lot.c.procedure_id == table.c.procedure_id) & (lot.c.number == table.c.lot) & (lot.c.stage == table.c.stage),
    )


def _asked(kids: Sequence[str]) -> Select[Any]:
    """Return the select of the lots for which a share key is asked and not made yet, in the columns of one that is."""
    job, nothing = custodian_job, literal(b"", LargeBinary)
    named = (literal("").label("name"), literal("").label("role"), literal("asked").label("state"))
    digests = (nothing.label("doc_sha256"), nothing.label("challenge_sha256"))
    query = select(job.c.procedure_id, job.c.lot, job.c.stage, job.c.kid, *named, *digests, *_OF_LOT)
    return (
        _of_lots(query, job)
        .where(job.c.kind == JobKind.KEY.value, job.c.answered_at.is_(None), job.c.kid.in_(kids))
        .order_by(job.c.cursor)
    )


def _kept(conn: Connection, row: Any) -> Kept:  # noqa: ANN401 - a row with the columns of three tables
    key = key_of(row)
    place = Place(procedure=row.reference, procedure_id=row.procedure_id, lot=row.lot, stage=row.stage)
    opening = queries.opening_row(conn, place)
    policy = None if row.policy_sha256 is None else DOCUMENTS.get(conn, bytes(row.policy_sha256))
    index = next((each["i"] for each in (policy or {"custodians": ()})["custodians"] if each["kid"] == key.kid), None)
    answers = [] if opening is None else queries.answers(conn, place, "check", "release")
    newest = [each for each in answers if opening is not None and each.order_sha256 == opening.order_sha256]
    return Kept(
        key=key,
        reference=row.reference,
        title_zh=row.title_zh,
        title_en=row.title_en,
        lot_zh=row.lot_zh,
        lot_en=row.lot_en,
        phase=row.phase,
        close_at=row.close_at,
        opening=opening,
        custodian=index,
        k=None if policy is None else policy["k"],
        n=None if policy is None else len(policy["custodians"]),
        tasks=tuple(_tasks(conn, key, opening, _lengths(conn, row.schedule_sha256))),
        codes=_codes(conn, newest, index),
        released=sum(each.kind == "release" for each in newest),
        checked_by=sum(each.kind == "check" for each in newest),
        destroyed_at=_destroyed_at(conn, place, index),
    )


def _destroyed_at(conn: Connection, place: Place, index: int | None) -> int | None:
    for record in queries.entries(conn, place, ("custodian.key_destroyed",)):
        body = record["body"]
        if (body["lot"], body["stage"], body["custodian"]) == (place.lot, place.stage, index):
            return int(record["at"])
    return None


def _lengths(conn: Connection, schedule_sha256: bytes | None) -> WindowLengths | None:
    if schedule_sha256 is None:
        return None
    return WindowLengths.of_schedule(DOCUMENTS.get(conn, bytes(schedule_sha256)))


def _codes(conn: Connection, answers: Sequence[queries.Answer], index: int | None) -> tuple[str, ...]:
    own = next((each for each in answers if (each.kind, each.custodian) == ("check", index)), None)
    if own is None:
        return ()
    return tuple(item.code.value for item in parse_share_check(stored_document(conn, own.doc_sha256).doc).items)


def _tasks(conn: Connection, key: KeyRow, opening: OpeningRow | None, lengths: WindowLengths | None) -> list[Task]:
    query = (
        select(custodian_job)
        .where(
            custodian_job.c.kid == key.kid,
            custodian_job.c.procedure_id == key.procedure_id,
            custodian_job.c.lot == key.lot,
            custodian_job.c.stage == key.stage,
            custodian_job.c.kind.in_(sorted(_told(opening))),
        )
        .order_by(custodian_job.c.cursor)
    )
    found = []
    for row in conn.execute(query):
        since, ends_at = _window(row.kind, opening, lengths)
        told = (row.refused_at, row.refusal) if row.answered_at is None else (None, None)
        found.append(
            Task(
                id=row.id,
                kind=row.kind,
                since=since,
                ends_at=ends_at,
                answered_at=row.answered_at,
                refused_at=told[0],
                refusal=told[1],
            )
        )
    return found


def _told(opening: OpeningRow | None) -> frozenset[str]:
    if opening is None:
        return _AT_ONCE
    return _AT_ONCE | _SINCE_ORDER | (_AFTER if opening.step == "completed" else frozenset())


def _window(kind: str, opening: OpeningRow | None, lengths: WindowLengths | None) -> tuple[int | None, int | None]:
    """Return since when a task of the ceremony waits and until when an answer counts."""
    if opening is None or lengths is None:
        return None, None
    if kind == JobKind.CHECK:
        return opening.ordered_at, opening.ordered_at + lengths.share_check_ms
    begins = opening.factor_closed_at
    if kind == JobKind.RELEASE and begins is not None:
        rescued = None if opening.gaps_at is None else opening.gaps_at + lengths.rescue_ms
        return begins, rescued or begins + lengths.release_window_ms
    return None, None
