"""The contact service's part: it alone maps an index to a person, and takes one step of the walk at a time (ED1 D10).

It opens the keys of a draw, recomputes the pool under the spec and replays the trail before every step, so it refuses
an index that is not next. It keeps no list: whoever is called is looked up then, and every look-up is a record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.queries import on_hold
from trading.crypto.contact import ContactKey, binding, code_sha256
from trading.experts import model, queries, store
from trading.experts.model import REGISTER_KINDS, draw_event
from trading.experts.queries import CallRow, DrawRow, StepRow
from trading.experts.rules.identity import Identity, identity_info
from trading.experts.rules.pool import Pool, exclusion_root, make_pool, require_opened
from trading.experts.rules.register import fold
from trading.experts.rules.results import make_result, parse_result
from trading.experts.rules.spec import Spec
from trading.experts.rules.strata import EXACT, stratum_title
from trading.experts.rules.walk import Entry, Facts, State, Step, Walk
from trading.experts.service.attempts import spec_of
from trading.experts.service.calls import CALLED, WALKING
from trading.experts.service.custodians import attempt_of
from trading.experts.service.preparing import keys_info
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.errors import IntegrityFailure, NotFound
from trading.kernel.ids import random_name
from trading.kernel.roles import Actor
from trading.kernel.signed import SignedDocument
from trading.messages.rules.calls import Meeting, call_mail, seat_mail, told_mail
from trading.messages.service import outbox

ACTOR: Final = Actor.system("contact")
#: Dispositions about somebody who was called; excluded and limited people were never spoken to.
_PERSONAL: Final = frozenset({CALLED, "SELECTED", "REFUSED", "RECUSED", "UNREACHABLE", "REPLACED"})


@dataclass(slots=True, kw_only=True, repr=False)
class Contact:
    """The contact service: its ledger, its key, the address of the pages, and the pools of draws in hand.

    ``linked`` holds the ids of the sealed identities whose accounts it has tied to pool numbers.
    """

    ledger: Ledger
    key: ContactKey
    public_url: str
    _pools: dict[tuple[str, int], tuple[Pool, Mapping[int, str]]] = field(default_factory=dict)
    linked: set[int] = field(default_factory=set)

    def pool(self, conn: Connection, row: DrawRow, spec: Spec) -> tuple[Pool, Mapping[int, str]]:
        """Return pool and reasons of an attempt, recomputed and compared with what the spec commits to.

        Raises:
            IntegrityFailure: They are not what was signed.
        """
        known = self._pools.get((row.draw, row.attempt))
        if known is None:
            known = self._recompute(conn, row, spec)
            self._pools = {(row.draw, row.attempt): known}  # one draw at a time stays in memory
        return known

    def _recompute(self, conn: Connection, row: DrawRow, spec: Spec) -> tuple[Pool, Mapping[int, str]]:
        sealed = store.key_of(conn, row.draw, row.attempt)
        content = loads_object(self.key.open(keys_info(row.draw, row.attempt), sealed), 64 * 1024 * 1024)
        register = fold(queries.changes_before(conn, spec.register_size, REGISTER_KINDS))
        exact = spec.rule_version == EXACT
        pool = make_pool(
            bytes.fromhex(content["k_draw"]), register.entrants([item.id for item in spec.strata], exact=exact)
        )
        reasons = {item["index"]: item["reason"] for item in content["reasons"]}
        if pool.root != spec.pool_root:
            raise IntegrityFailure(f"the pool of {row.draw} is not the one that was signed")
        if exclusion_root(bytes.fromhex(content["k_x"]), spec.pool_size, reasons) != spec.excl_root:
            raise IntegrityFailure(f"the exclusions of {row.draw} are not those that were signed")
        return pool, reasons

    def identity(self, conn: Connection, expert_id: str) -> Identity:
        """Open one identity; the caller records that it did.

        Raises:
            NotFound: None is stored.
        """
        sealed = store.identities(conn, [expert_id]).get(expert_id)
        if sealed is None:
            raise NotFound(expert_id)
        return Identity.decode(self.key.open(identity_info(expert_id), sealed))


def work(contact: Contact) -> int:
    """Do everything that is due in all draws; return how many steps were taken."""
    with contact.ledger.read() as conn:
        rows = queries.draws_in(conn, *WALKING)
    count = 0
    for row in rows:
        while step(contact, row.draw, row.attempt):
            count += 1
        count += bring_seats(contact, row) + tell(contact, row)
    return count


def step(contact: Contact, draw: str, attempt: int) -> bool:
    """Take the one step of an attempt that is due; return whether there was one.

    Two contact processes are harmless: the draw row is locked, and the recorded trail decides.
    """
    with contact.ledger.begin(ACTOR) as uow:
        row = store.lock_draw(uow, draw, attempt)
        if row.state not in WALKING or row.seed is None or on_hold(uow.connection):
            return False
        spec = spec_of(uow.connection, row)
        pool, reasons = contact.pool(uow.connection, row, spec)
        trail = queries.steps(uow.connection, draw, attempt)
        walk = _walk(spec, row.seed, pool, reasons, trail)
        late = _late(walk, spec, uow.at)
        if late is not None:
            _dispose(uow, row, late, _stratum_of(spec, late), State.UNREACHABLE)
            return True
        following = walk.next_step()
        if following is None:
            return walk.finished and _offer_result(uow, row, walk, trail)
        if following.state is not None:
            _dispose(uow, row, following.index, following.stratum, following.state)
            return True
        _call(contact, uow, row, following, pool, spec)
    return True


def _walk(spec: Spec, seed: bytes, pool: Pool, reasons: Mapping[int, str], trail: list[StepRow]) -> Walk:
    facts = Facts(excluded=lambda index: index in reasons, entrant=lambda index: pool.entrants[index])
    entries = [
        Entry(
            index=each.index,
            stratum=each.stratum,
            at=each.at,
            state=None if each.state == CALLED else State(each.state),
            reason_commit=each.reason_commit,
        )
        for each in trail
    ]
    return Walk.replay(spec, seed, facts, entries)


def _late(walk: Walk, spec: Spec, at: int) -> int | None:
    """Return a pending index whose time to answer is over."""
    for index in walk.pending:
        called_at = walk.called_at(index)
        if called_at is not None and at > called_at + spec.call_ms:
            return index
    return None


def _stratum_of(spec: Spec, index: int) -> str:
    return next(item.id for item in spec.strata if item.a <= index < item.b)


def _dispose(uow: UnitOfWork, row: DrawRow, index: int, stratum: str, state: State) -> None:
    event = draw_event("disposed", attempt_of(row), index=index, reason_commit=None, state=state.value, stratum=stratum)
    store.add_step(uow, uow.record(event), row, state.value)


def _call(contact: Contact, uow: UnitOfWork, row: DrawRow, following: Step, pool: Pool, spec: Spec) -> None:
    """Record the call before anybody is spoken to, and put the mail into the outbox in the same transaction."""
    conn = uow.connection
    leaf = pool.opened(following.index)
    require_opened(leaf, spec.pool_size, spec.pool_root)  # what the supervisor's channel checks (D10 b)
    person = contact.identity(conn, str(loads_object(leaf.attrs)["id"]))
    meeting = _meeting(conn, row, following.stratum)
    seat, ends_at = f"m-{random_name(12)}", uow.at + spec.call_ms
    code = contact.key.code("call", row.draw, str(row.attempt), str(following.index))
    event = draw_event("called", attempt_of(row), index=following.index, stratum=following.stratum)
    recorded = uow.record(event)
    uow.record(model.identity_read(f"call {row.draw} {row.attempt} index {following.index}"))
    store.add_step(uow, recorded, row, CALLED)
    call = CallRow(
        draw=row.draw,
        attempt=row.attempt,
        index=following.index,
        stratum=following.stratum,
        seat=seat,
        called_at=uow.at,
        ends_at=ends_at,
        meeting=dumps({"at": meeting.at, "place_en": meeting.place_en, "place_zh": meeting.place_zh}),
    )
    store.add_call(conn, code_sha256(code), call)
    link = f"{contact.public_url}/draws/call/{code}"
    outbox.put(conn, contact.key.public, "call", call_mail(person.mail, meeting, link, ends_at), uow.at)


def _meeting(conn: Connection, row: DrawRow, stratum: str) -> Meeting:
    plan = queries.plan_of(conn, queries.committee_of_draw(conn, row.draw))
    zh, en = stratum_title(stratum, queries.specialties(conn))
    return Meeting(**plan.meeting_of(stratum), specialty_zh=zh, specialty_en=en)


def _offer_result(uow: UnitOfWork, row: DrawRow, walk: Walk, trail: list[StepRow]) -> bool:
    """Put the result before centre and supervisor, once for each state of the trail."""
    before = None
    if row.result_sha256 is not None:
        before = parse_result(queries.signed_document(uow.connection, row.result_sha256).doc)
    signed = SignedDocument(make_result(walk, row.seed or b"", [each.h for each in trail], before))
    if before is not None and parse_result(signed.doc).trail_root == before.trail_root:
        return False
    if any(paper.sha256 == signed.sha256 for paper in queries.papers(uow.connection, row.draw)):
        return False
    store.add_paper(uow.connection, row.draw, row.attempt, "ed1.result", signed, uow.at)
    return True


def bring_seats(contact: Contact, row: DrawRow) -> int:
    """Send every selected expert the code of his seat, once."""
    count = 0
    for call in _selected(contact, row):
        with contact.ledger.begin(ACTOR) as uow:
            spec = spec_of(uow.connection, row)
            pool, _ = contact.pool(uow.connection, row, spec)
            person_id = pool.entrants[call.index].id
            person = contact.identity(uow.connection, person_id)
            code = contact.key.code("seat", call.seat)
            bound = binding(code, contact.key.link(person_id))
            # The unique constraint is the truth: of two contact processes one sends the mail.
            if not store.add_seat_code(uow.connection, code_sha256(code), call.seat, bound):
                continue
            uow.record(model.identity_read(f"seat {call.seat}"))
            mail = seat_mail(person.mail, _meeting(uow.connection, row, call.stratum), code)
            outbox.put(uow.connection, contact.key.public, "seat", mail, uow.at)
        count += 1
    return count


def _selected(contact: Contact, row: DrawRow) -> list[CallRow]:
    with contact.ledger.read() as conn:
        last = {each.index: each for each in queries.steps(conn, row.draw, row.attempt)}
        calls = [call for call in queries.calls(conn, row.draw, row.attempt) if last[call.index].state == "SELECTED"]
        done = store.coded_seats(conn, [call.seat for call in calls]) | store.held_seats(
            conn, [call.seat for call in calls]
        )
    return [call for call in calls if call.seat not in done]


def tell(contact: Contact, row: DrawRow) -> int:
    """Let the supervisor's channel tell every person what was recorded about him (D10 b), once for each record."""
    with contact.ledger.read() as conn:
        trail = [each for each in queries.steps(conn, row.draw, row.attempt) if each.state in _PERSONAL]
        done = store.told(conn, [each.h for each in trail])
    waiting = [each for each in trail if each.h not in done]
    for each in waiting:
        with contact.ledger.begin(ACTOR) as uow:
            code = contact.key.code("contest", row.draw, str(row.attempt), str(each.index), each.h.hex())
            if not store.add_told(uow.connection, each.h, code_sha256(code)):
                continue
            spec = spec_of(uow.connection, row)
            pool, _ = contact.pool(uow.connection, row, spec)
            leaf = pool.opened(each.index)
            require_opened(leaf, spec.pool_size, spec.pool_root)
            person = contact.identity(uow.connection, str(loads_object(leaf.attrs)["id"]))
            uow.record(model.identity_read(f"notice {row.draw} {row.attempt} index {each.index}"))
            mail = told_mail(person.mail, each.state, each.at, f"{contact.public_url}/draws/contest/{code}")
            outbox.put(uow.connection, contact.key.public, "told", mail, uow.at)
    return len(waiting)


def link_accounts(contact: Contact) -> int:
    """Tie the accounts named in sealed identities to their pool numbers, by the keyed hash alone.

    Each identity is opened once in the life of the service: opening a whole pool in every round costs a processor.
    """
    with contact.ledger.read() as conn:
        fresh = store.identities_unlike(conn, contact.linked)
        if not fresh:
            return 0
        sealed = store.identities(conn, set(fresh.values()))
        linked = store.linked_accounts(conn)
    count = 0
    for expert_id, data in sealed.items():
        account = Identity.decode(contact.key.open(identity_info(expert_id), data)).account
        if account is None or account in linked:
            continue
        with contact.ledger.upkeep() as conn:
            store.add_link(conn, account, contact.key.link(expert_id))
        count += 1
    contact.linked.update(fresh)
    return count
