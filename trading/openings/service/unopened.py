"""Envelopes that nobody will open: every custodian is asked to state that it released no share of them (SB1 S12)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trading.audit.ledger import UnitOfWork
from trading.audit.runtime import Runtime
from trading.bids import queries as bids
from trading.custody import service as custody
from trading.custody.rules.jobs import JobKind
from trading.kernel.roles import Actor
from trading.openings.service import session as sessions
from trading.openings.service.session import Session

_CLOCK: Final = Actor.system("worker")


def ask(runtime: Runtime, arg: Mapping[str, Any]) -> None:
    """Ask for statements of non-release about a lot that is over: failed, cancelled, or opened.

    Of an opened lot these are the withdrawn and superseded versions. Running it twice asks once.
    """
    with runtime.ledger.begin(_CLOCK) as uow:
        session = sessions.load(uow, str(arg["tender"]), str(arg["lot"]), str(arg["stage"]), move=True)
        envelopes = _unopened(uow, session)
        if envelopes:
            request = {"envelopes": envelopes, "policy_sha256": session.lot.policy_sha256}
            custody.ask_all(uow, session.place.procedure_id, session.policy, JobKind.NON_RELEASE, request)


def _unopened(uow: UnitOfWork, session: Session) -> list[str]:
    """Return the names of all envelopes of the lot that no order lists, sorted."""
    place = session.place
    versions = bids.versions_of_lot(uow.connection, place.procedure_id, place.lot, place.stage)
    envelopes = {version.doc_sha256 for version in versions if version.kind == "envelope"}
    if session.opening is not None:
        order = sessions.document(uow.connection, session.opening.order_sha256)
        envelopes -= {bid["envelope_sha256"] for bid in order["bids"]}
    return sorted(envelopes)
