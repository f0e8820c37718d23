"""The steps that the clock brings: factor window, factor list, request for releases, end of the release (SB1 S9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from trading.audit.ledger import UnitOfWork
from trading.audit.queries import on_hold
from trading.audit.runtime import Runtime
from trading.custody import service as custody
from trading.custody.rules.jobs import JobKind
from trading.kernel.roles import Actor
from trading.openings import store
from trading.openings.model import lot_event
from trading.openings.queries import drafts
from trading.openings.rules.windows import Step, may_release, next_step
from trading.openings.service import ordering
from trading.openings.service import session as sessions
from trading.openings.service.session import Session

_CLOCK: Final = Actor.system("worker")
_AGAIN_MS: Final = 5_000


def run(runtime: Runtime, arg: Mapping[str, Any]) -> int | None:
    """Do the next step if its instant has come; return the instant of the one after it, or None.

    Running it twice does nothing the second time: the procedure is locked and the recorded state decides.
    """
    with runtime.ledger.begin(_CLOCK) as uow:
        session = sessions.load(uow, str(arg["tender"]), str(arg["lot"]), str(arg["stage"]), move=True)
        if session.opening is None or session.lot.phase != "opening":
            return None
        if on_hold(uow.connection):
            return uow.at + _AGAIN_MS  # TE1 T3: no window is ended while the clock is on hold
        ceremony = sessions.ceremony(uow.connection, session)
        if not ceremony.bidder_factor and may_release(ceremony, uow.at):
            _ask_for_releases(uow, session)
        coming = next_step(ceremony, uow.at)
        if coming is None:
            return None
        step, due = coming
        if due > uow.at:
            return due
        return _do(uow, session, step)


def _do(uow: UnitOfWork, session: Session, step: Step) -> int | None:
    row = session.begun()
    match step:
        case Step.OPEN_FACTOR_WINDOW:
            ends_at: int = uow.at + session.schedule["factor_window_ms"]
            recorded = uow.record(lot_event("factor.opened", session.place, "电子招标投标办法 30", ends_at=ends_at))
            store.move(uow, recorded, row, step="factor", factor_ends_at=ends_at)
            return ends_at
        case Step.MAKE_FACTOR_LIST:
            _make_factor_list(uow, session)
        case Step.CLOSE_RELEASE:
            recorded = uow.record(lot_event("release.closed", session.place))
            store.move(uow, recorded, row, step="release_closed", release_closed_at=uow.at)
        case Step.ASK_FOR_RELEASES | Step.REPORT_GAPS | Step.COMBINE:
            pass  # asked for above; the rest is the station's part
    return None


def _ask_for_releases(uow: UnitOfWork, session: Session) -> None:
    """With the factor off no list comes before the releases, so the clock asks for them; asking twice is one job."""
    request = {
        "factor_list_sha256": None,
        "order_sha256": session.begun().order_sha256,
        "policy_sha256": session.lot.policy_sha256,
        "schedule_sha256": session.lot.schedule_sha256,
    }
    custody.ask_all(uow, session.place.procedure_id, session.policy, JobKind.RELEASE, request)


def _make_factor_list(uow: UnitOfWork, session: Session) -> None:
    """Put the list as the records have it before agency and supervisor.

    A factor that was acknowledged in time and forwarded later makes another list; the newest draft is the one to sign.
    """
    listed = ordering.draft_factor_list(uow, session)
    known = {draft.sha256 for draft in drafts(uow.connection, session.place, "sb1.factor-list")}
    if listed.sha256 not in known:
        store.save_draft(uow, session.place, "sb1.factor-list", listed, known=False)
