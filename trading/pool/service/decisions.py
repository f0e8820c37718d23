"""What regulators alone decide: qualification, suspension, resumption, removal, discipline, another term (SEP-02).

Whoever decides signs a change of the register (ED1 D3) where the register changes. The database asks once more whether
the account holds the duty (migration 0010).
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.audit.service import record_access
from trading.experts import queries as experts
from trading.experts.rules.register import Act, Item, RegisterChange, parse_register_change
from trading.experts.rules.strata import LEVELS
from trading.experts.service import register
from trading.kernel.errors import InvalidInput, NotFound, NotPermitted, RuleBroken
from trading.kernel.events import Event
from trading.kernel.roles import Actor, Role
from trading.kernel.signed import SignedDocument
from trading.pool import model, queries, store
from trading.pool.rules.admission import last_day, require_admissible
from trading.pool.rules.dossier import Dossier, note_commit, strata_of
from trading.pool.service import upkeep
from trading.pool.service.applications import (
    candidate_of,
    edition_of,
    identity_of,
    instant_of,
    regime_of,
)

MOST_AT_ONCE: Final = 100
MEASURES: Final = ("warning", "fine", "ban")
REFUSAL_RULES: Final = ("EXP-07", "EXP-08", "EXP-16", "EXP-27")
#: Under which rule a regime's experts are disciplined.
LIABILITY: Final = {"TL": "EXP-26", "GP": "EXP-25"}
_ORDERS: Final = (Act.SUSPENDED, Act.RESUMED, Act.REMOVED)


def require_authority(actor: Actor) -> None:
    """Refuse everybody but the regulators of the industry.

    Raises:
        NotPermitted: The actor is none.
    """
    if Role.AUTHORITY not in actor.roles:
        raise NotPermitted("standing of experts is decided by regulators alone")


def draft_admission(ledger: Ledger, actor: Actor, numbers: Collection[str], levels: Sequence[str]) -> bytes:
    """Return the change of the register that admits applicants, for the regulator to sign.

    Args:
        ledger: Where.
        actor: The regulator; that he reads the files is recorded.
        numbers: Of applications that wait, at most ``MOST_AT_ONCE``.
        levels: Region levels in which they are to be drawn: some of ``LEVELS``.

    Raises:
        NotPermitted, NotFound: No regulator; no such application.
        InvalidInput: ``pool.selection``: nobody, too many, or no region level.
        RuleBroken: As ``admission.require_admissible``, for the first whom the edition does not let in.
    """
    require_authority(actor)
    chosen = tuple(level for level in LEVELS if level in set(levels))
    if not numbers or len(numbers) > MOST_AT_ONCE or not chosen:
        raise InvalidInput("pool.selection", str(len(numbers)))
    record_access(ledger, actor, "pool.files")
    with ledger.begin(actor) as uow:
        found = _dossiers(uow, numbers)
        _require_all(uow, found)
        items = [
            Item(id=number, strata=strata_of(each.specialties, chosen), unit=each.employer)
            for number, each in sorted(found.items())
        ]
        return register.draft_change(uow.connection, Act.ADMITTED, items, uow.at)


def qualify(ledger: Ledger, actor: Actor, signed: SignedDocument) -> Recorded:
    """Admit the applicants of a signed change: register, sealed identities, terms, in one act.

    Raises:
        NotPermitted, NotFound, Conflict: No regulator; an application that is unknown or decided.
        InvalidInput: ``doc.…``; ``pool.other_act``: the document admits nobody.
        RuleBroken: ``pool.mismatch``: an employer or stratum that the application does not have; ``sig.…``,
            ``register.…``, and as ``admission.require_admissible``.
    """
    require_authority(actor)
    change = parse_register_change(signed.doc)
    if change.act != Act.ADMITTED:
        raise InvalidInput("pool.other_act", change.act)
    numbers = [item.id for item in change.items]
    with ledger.begin(actor) as uow:
        register.lock(uow)
        store.lock_files(uow, numbers, "waiting")
        found = _dossiers(uow, numbers)
        _require_all(uow, found)
        _require_same(change, found)
        terms = {number: _term_end(uow, number, each) for number, each in found.items()}
        register.apply_change(uow, signed, {number: identity_of(each) for number, each in found.items()})
        recorded = uow.record(model.qualified(terms, signed.sha256))
        store.add_act(uow, recorded, model.QUALIFIES)
        for number, until in terms.items():
            store.set_files(uow, recorded, [number], state="admitted", until=until)
    register.start_snapshots(ledger)
    upkeep.start(ledger)
    return recorded


def _dossiers(uow: UnitOfWork, numbers: Collection[str]) -> dict[str, Dossier]:
    found: dict[str, Dossier] = {}
    for number in numbers:
        text = queries.dossier(uow.connection, number)
        if text is None:
            raise NotFound(number)
        found[number] = Dossier.decode(text)
    return found


def _require_all(uow: UnitOfWork, found: dict[str, Dossier]) -> None:
    edition, files = edition_of(uow.at), queries.files_of(uow.connection, found)
    for number, dossier in found.items():
        numbers = queries.numbers_of_person(uow.connection, dossier.identity_no)
        others = queries.files_of(uow.connection, [each for each in numbers if each != number])
        if any(each.state == "admitted" for each in others.values()):
            raise RuleBroken("pool.known", "EXP-08")
        regime = regime_of(files[number].regime)
        require_admissible(edition, regime, candidate_of(uow.connection, dossier, numbers, uow.at))


def _require_same(change: RegisterChange, found: dict[str, Dossier]) -> None:
    for item in change.items:
        asked = set(strata_of(found[item.id].specialties, LEVELS))
        if item.unit != found[item.id].employer or not item.strata or not asked.issuperset(item.strata):
            raise RuleBroken("pool.mismatch", "EXP-27", number=item.id)


def _term_end(uow: UnitOfWork, number: str, dossier: Dossier) -> int:
    regime = regime_of(queries.find(uow.connection, number).regime)
    today = candidate_of(uow.connection, dossier, (), uow.at).today
    last = last_day(edition_of(uow.at), regime, date.fromisoformat(dossier.birth), today)
    return instant_of(last + timedelta(days=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a regulator decides as he does: kept with a salt, of which the record carries the digest."""

    text: str
    salt: bytes

    @classmethod
    def of(cls, text: str) -> Reason:
        """Return a reason with fresh salt.

        Raises:
            RuleBroken: ``pool.reason``: it is empty or too long.
        """
        words = text.strip()
        if not words or len(words) > 2000:  # noqa: PLR2004 - of a form's field, no law
            raise RuleBroken("pool.reason", "EXP-29")
        return cls(text=words, salt=secrets.token_bytes(32))

    @property
    def commit(self) -> str:
        """Return what the record says of it."""
        return note_commit(self.salt, self.text).hex()


def _decide(uow: UnitOfWork, event: Event, number: str, reason: Reason) -> Recorded:
    recorded = uow.record(event)
    store.add_act(uow, recorded, model.QUALIFIES)
    store.add_note(uow, recorded, number, reason.salt, reason.text)
    return recorded


def refuse(ledger: Ledger, actor: Actor, number: str, rule: str, reason_text: str) -> Recorded:
    """Refuse an application by a rule.

    Raises:
        NotPermitted, NotFound, Conflict: No regulator; no application that waits.
        InvalidInput: ``pool.rule``. RuleBroken: ``pool.reason``.
    """
    require_authority(actor)
    if rule not in REFUSAL_RULES:
        raise InvalidInput("pool.rule", rule)
    reason = Reason.of(reason_text)
    with ledger.begin(actor) as uow:
        store.lock_files(uow, [number], "waiting", "asked")
        event = model.event("pool.refused", number=number, rule=rule, reason_commit=reason.commit)
        recorded = _decide(uow, event, number, reason)
        store.set_files(uow, recorded, [number], state="refused", rule=rule)
    return recorded


def draft_order(ledger: Ledger, actor: Actor, number: str, act_name: str) -> bytes:
    """Return the change of the register that suspends, resumes or removes an expert, for the regulator to sign.

    Raises:
        NotPermitted, NotFound: No regulator; nobody of that number in the register.
        InvalidInput: ``pool.other_act``.
    """
    require_authority(actor)
    act = next((each for each in _ORDERS if each.value == act_name), None)
    if act is None:
        raise InvalidInput("pool.other_act", act_name)
    with ledger.read() as conn:
        known = experts.register(conn, [number])
        if number not in known.experts:
            raise NotFound(number)
        known.require(act, [number])
        return register.draft_change(conn, act, [known.experts[number]], ledger.platform_time(conn))


def order(ledger: Ledger, actor: Actor, signed: SignedDocument, reason_text: str) -> Recorded:
    """Carry out a signed suspension, resumption or removal of one expert.

    Raises:
        NotPermitted, NotFound, Conflict: No regulator; the file is not open.
        InvalidInput: ``doc.…``, ``pool.other_act``. RuleBroken: ``pool.reason``, ``sig.…``, ``register.…``.
    """
    require_authority(actor)
    change = parse_register_change(signed.doc)
    if change.act not in _ORDERS or len(change.items) != 1:
        raise InvalidInput("pool.other_act", change.act)
    number, reason = change.items[0].id, Reason.of(reason_text)
    with ledger.begin(actor) as uow:
        register.lock(uow)
        store.lock_files(uow, [number], "admitted", "ended")
        register.apply_change(uow, signed)
        event = model.event(
            "pool.ordered", act=change.act, change_sha256=signed.sha256, number=number, reason_commit=reason.commit
        )
        recorded = _decide(uow, event, number, reason)
        if change.act == Act.REMOVED:
            store.set_files(uow, recorded, [number], state="ended", rule="EXP-29")
    return recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Sanction:
    """A warning, a fine in fen or a ban until a day, that day included."""

    measure: str
    amount: int | None = None
    until: date | None = None

    def require_whole(self) -> None:
        """Refuse a fine without an amount, a ban without its end, and either where it does not belong.

        Raises:
            InvalidInput: ``pool.sanction``.
        """
        fits = (self.amount is not None) == (self.measure == "fine") and (self.until is not None) == (
            self.measure == "ban"
        )
        if self.measure not in MEASURES or not fits or (self.amount is not None and self.amount <= 0):
            raise InvalidInput("pool.sanction", self.measure)


def discipline(ledger: Ledger, actor: Actor, number: str, sanction: Sanction, reason_text: str) -> Recorded:
    """Enter a sanction into the credit file of an expert (EXP-25, EXP-26). A ban also needs a signed suspension.

    Raises:
        NotPermitted, NotFound, Conflict: No regulator; nobody of that number was ever admitted.
        InvalidInput: ``pool.sanction``. RuleBroken: ``pool.reason``.
    """
    require_authority(actor)
    sanction.require_whole()
    reason = Reason.of(reason_text)
    with ledger.begin(actor) as uow:
        store.lock_files(uow, [number], "admitted", "ended")
        rule = LIABILITY[queries.find(uow.connection, number).regime]
        until = None if sanction.until is None else instant_of(sanction.until)
        extra = {name: value for name, value in (("amount", sanction.amount), ("until", until)) if value is not None}
        event = model.event(
            "pool.disciplined",
            number=number,
            measure=sanction.measure,
            rule=rule,
            reason_commit=reason.commit,
            **extra,
        )
        recorded = _decide(uow, event, number, reason)
        store.add_sanction(
            uow, recorded, number, measure=sanction.measure, rule=rule, amount=sanction.amount, until=until
        )
    return recorded


def renew(ledger: Ledger, actor: Actor, number: str) -> Recorded:
    """Appoint an expert for another term, if the edition still admits him (EXP-29).

    Raises:
        NotPermitted, NotFound, Conflict: No regulator; no appointment that runs.
        RuleBroken: As ``admission.require_admissible``.
    """
    require_authority(actor)
    with ledger.begin(actor) as uow:
        store.lock_files(uow, [number], "admitted")
        found = _dossiers(uow, [number])
        _require_all(uow, found)
        until = _term_end(uow, number, found[number])
        recorded = uow.record(model.event("pool.renewed", number=number, until=until))
        store.add_act(uow, recorded, model.QUALIFIES)
        store.set_files(uow, recorded, [number], until=until)
    return recorded
