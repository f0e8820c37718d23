"""What the platform's staff does for the pool, and what time does: trainings, the specialty tree, ends of terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from trading.audit.ledger import Ledger
from trading.audit.model import Recorded
from trading.audit.runtime import Runtime
from trading.crypto.signatures import SignedDocument
from trading.documents import store as documents
from trading.experts.rules.specialties import Tree, make_tree
from trading.experts.service.register import next_night
from trading.kernel.digests import sha256
from trading.kernel.errors import NotPermitted, RuleBroken
from trading.kernel.roles import Actor, Role
from trading.pool import model, queries, store
from trading.pool.service.applications import instant_of

LAPSE: Final = "pool.lapse"
_SYSTEM: Final = Actor.system("worker")
_AT_ONCE: Final = 500


def require_keeper(actor: Actor) -> None:
    """Refuse everybody but the staff of the trading centre.

    Raises:
        NotPermitted: The actor is none.
    """
    if Role.CENTRE not in actor.roles:
        raise NotPermitted("the pool is kept by the platform's staff alone")


def note_training(ledger: Ledger, actor: Actor, number: str, day: date) -> Recorded:
    """Note that an expert was trained on a day (EXP-29).

    Raises:
        NotPermitted, NotFound, Conflict: No keeper; nobody of that number serves.
        RuleBroken: ``pool.training``: the day has not come.
    """
    require_keeper(actor)
    with ledger.begin(actor) as uow:
        store.lock_files(uow, [number], "admitted")
        trained_at = instant_of(day)
        if trained_at > uow.at:
            raise RuleBroken("pool.training", "EXP-29")
        recorded = uow.record(model.event("pool.trained", number=number, trained_at=trained_at))
        store.add_act(uow, recorded, model.KEEPS)
        store.set_files(uow, recorded, [number], trained_at=trained_at)
    return recorded


def publish_tree(ledger: Ledger, actor: Actor, rows: Sequence[Mapping[str, Any]], source: str) -> Tree:
    """Publish the next version of the specialty tree; applications from then on choose from it (EXP-27).

    Raises:
        NotPermitted: No keeper.
        InvalidInput: ``specialty.tree``. RuleBroken: ``specialty.row``, ``specialty.double``, ``specialty.parent``.
    """
    require_keeper(actor)
    with ledger.begin(actor) as uow:
        store.lock_pool(uow)
        tree = make_tree(rows, version=queries.tree(uow.connection).version + 1, source=source)
        signed = SignedDocument(tree.raw)
        event = model.event("specialty.published", tree_sha256=signed.sha256, version=tree.version)
        recorded = uow.record(event)
        documents.add(uow, recorded, None, signed)
        store.add_act(uow, recorded, model.KEEPS)
        store.add_tree(uow, recorded, tree.version, sha256(tree.raw))
    return tree


def lapse(runtime: Runtime, _arg: Mapping[str, Any]) -> int | None:
    """End the appointments whose term is over (EXP-29); an errand that comes back every night.

    From then on nobody of them is called: a draw counts them as suspended, until a regulator signs their removal.
    """
    while True:
        with runtime.ledger.begin(_SYSTEM) as uow:
            due = queries.ending(uow.connection, uow.at + 1, size=_AT_ONCE).rows
            numbers = sorted(row.number for row in due)
            if not numbers:
                return next_night(uow.at)
            store.lock_files(uow, numbers, "admitted")
            recorded = uow.record(model.event("pool.lapsed", numbers=numbers, rule="EXP-29"))
            store.set_files(uow, recorded, numbers, state="ended", rule="EXP-29")


def start(ledger: Ledger) -> None:
    """Make sure that ends of terms are looked at tonight; the errand repeats itself from then on."""
    with ledger.begin(_SYSTEM) as uow:
        if not store.has_errand(uow.connection, LAPSE):
            uow.wake(LAPSE, {}, next_night(uow.at))
