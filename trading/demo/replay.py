"""``demo --real-bids FILE``: every tender of a file through seal, close, open and rank; winners compared with the file.

One process drives all tenders to one deadline under the edition ``demo.replay`` (no minimum of bidders, no ceiling,
no abnormal-price trigger); the estimate is only the base price. Of equal lowest bids the tie rule chooses, and "equal"
means that the file marks the chosen row or one tied with it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import Progress

from trading.accounts import service as accounts
from trading.assembly import open_runtime
from trading.audit.demo_clock import jump
from trading.audit.queries import newest_h
from trading.audit.runtime import Runtime
from trading.audit.service import platform_ms, wait_witnessed
from trading.bids import closing
from trading.crypto.signatures import Es256Signer
from trading.demo import cast
from trading.demo.cast import Organisation, numbered_bidder
from trading.demo.custodian import LocalCustodian
from trading.demo.past_tender import LOT, Company, PastTenderRun
from trading.demo.stage import Stage, enrol, set_stage
from trading.demo.tenders_csv import PastTender, PastTenders
from trading.evaluation.rules.ranking import Ranking
from trading.kernel.errors import Conflict
from trading.kernel.roles import Actor, Role
from trading.parties import service as parties
from trading.procedures import queries as procedure_queries
from trading.procedures import service as procedures
from trading.up import Platform

_DAY_MS: Final = 86_400_000
_DEADLINE_DAYS: Final = 28  # well beyond the legal minimum of the edition
_BEFORE_MS: Final = 3_000
_WITNESS_S: Final = 30.0
_WINDOWS: Final = {
    "factor_window_ms": 4_000,
    "objection_ms": 1_000,
    "share_check_ms": 60_000,
    "release_window_ms": 60_000,
    "rescue_ms": 1_000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One tender: the line of the row that was ranked first, and whether the file marks it or one tied with it."""

    tender: str
    bids: int
    chosen_line: int
    chosen_amount: int
    file_line: int | None
    file_amount: int | None
    equal: bool


def replay(past: PastTenders, platform: Platform, console: Console) -> list[Outcome]:
    """Drive every tender through the running platform's services and return what came out, in the file's order."""
    for name in ("web", "worker", "clock"):
        platform.halt(name)  # this process does their part, and nothing is done twice at the same time
    runtime = open_runtime(platform.settings("worker"), pool_size=8)
    company = _company(runtime, platform.data_dir / "people", max(len(t.bids) for t in past.tenders))
    runs = _publish(company, past.tenders, console)
    steps: Sequence[tuple[str, Callable[[PastTenderRun], object]]] = (
        ("密封、提交 / seal and submit", PastTenderRun.submit_all),
        ("截止 / close", _no_step),
        ("开标令、份额核对 / order, share check", PastTenderRun.open_order),
        ("投标人确认 / factors", PastTenderRun.reveal_all),
        ("份额释放 / release", PastTenderRun.release_all),
        ("合并、启封 / combine and open", PastTenderRun.open_all),
    )
    for title, step in steps:
        if step is _no_step:
            _close(runtime, platform.data_dir / "demo-shift", runs, console)
        else:
            _each(title, runs, step, console)
    rankings = _each("排序 / rank", runs, PastTenderRun.rank, console)
    return [_outcome(run, ranking) for run, ranking in zip(runs, rankings, strict=True)]


def _no_step(_run: PastTenderRun) -> None:
    """Stand for the one step that is common to all tenders: the deadline."""


def _each(
    title: str, runs: Sequence[PastTenderRun], step: Callable[[PastTenderRun], Any], console: Console
) -> list[Any]:
    # Two at a time: while one waits for the database, the other computes.
    with Progress(console=console, transient=False) as progress, ThreadPoolExecutor(max_workers=2) as pool:
        return list(progress.track(pool.map(step, runs), total=len(runs), description=title))


def _company(runtime: Runtime, folder: Path, most: int) -> Company:
    """Register agency, supervisor, custodians, and as many bidders as the largest tender has rows."""
    stage = set_stage(runtime, folder, 2026, bidders=())
    bidders = tuple(_bidder(stage, numbered_bidder(number)) for number in range(most))
    custodians = tuple(
        LocalCustodian(organisation, stage.signers[(organisation.key, "custodian")]) for organisation in cast.CUSTODIANS
    )
    return Company(
        runtime=runtime,
        drafter=stage.actors["drafter"],
        reviewer=stage.actors["reviewer"],
        supervisor=stage.actors["supervisor"],
        agency_key=stage.signers[("agency", "agency")],
        supervisor_key=stage.signers[("supervisor", "supervisor")],
        operator_key=stage.signers[("centre", "station-operator")],
        custodians=custodians,
        bidders=bidders,
    )


def _bidder(stage: Stage, organisation: Organisation) -> tuple[Actor, Es256Signer]:
    ledger = stage.runtime.ledger
    stage.home(organisation).mkdir(parents=True, exist_ok=True, mode=0o700)
    parties.register_organisation(
        ledger,
        stage.actors["desk1"],
        code=organisation.code,
        name_zh=organisation.name_zh,
        name_en=organisation.name_en,
        roles=organisation.roles,
    )
    accounts.create_account(ledger, login=organisation.key, org_code=organisation.code, roles=(Role.BIDDER,))
    with ledger.upkeep() as conn:
        actor = accounts.actor_of(conn, organisation.key)
    return actor, enrol(stage, organisation, "bidder", organisation.key)


def _publish(company: Company, tenders: Iterable[PastTender], console: Console) -> list[PastTenderRun]:
    with company.runtime.ledger.read() as conn:
        close = (platform_ms(conn) + _DEADLINE_DAYS * _DAY_MS) // _DAY_MS * _DAY_MS + 4 * 3_600_000
    runs = []
    for tender in tenders:
        specification = _specification(tender, close)
        reference = procedures.draft(company.runtime.ledger, company.drafter, specification)
        runs.append(PastTenderRun(company=company, tender=tender, reference=reference))
    _each("持钥证明、发布 / key ceremony, publish", runs, PastTenderRun.publish, console)
    return runs


def _specification(tender: PastTender, close: int) -> dict[str, Any]:
    base = cast.specification(close=close, windows=_WINDOWS)
    lot = {
        **base["lots"][0],
        "ceiling": None,
        "items": [{"code": "B01", "name_en": "Works", "name_zh": "工程", "quantity": "1", "unit": "项"}],
        "title_en": f"Past tender {tender.number}",
        "title_zh": f"历史项目 {tender.number}",
    }
    return {
        **base,
        "jurisdiction": "demo.replay",
        "lots": [lot],
        "text_en": "Demonstration: a past tender replayed. Not law, not a real procedure.",
        "text_zh": "演示：重放历史招标项目。不适用任何法律，不是真实采购。",
        "title_en": f"Replay of past tender {tender.number}",
        "title_zh": f"历史招标重放 {tender.number}",
    }


def _close(runtime: Runtime, shift_file: Path, runs: Sequence[PastTenderRun], console: Console) -> None:
    """Move demonstration time to just before the deadline, then close every lot by the closer's own steps."""
    with runtime.ledger.read() as conn:
        close = procedure_queries.find_lot(conn, runs[0].procedure_id, *LOT).close_at or 0
    jump(runtime, Actor.system("demo"), close - _BEFORE_MS, shift_file=shift_file)
    waiting = list(runs)
    with Progress(console=console) as progress:
        task = progress.add_task("截止 / close", total=len(runs))
        due = close
        while waiting:
            with runtime.ledger.read() as conn:
                now = platform_ms(conn)
            if now < due:
                time.sleep((due - now) / 1000)
            again = [(run, when) for run in waiting if (when := closing.run(runtime, _arg(run))) is not None]
            progress.advance(task, len(waiting) - len(again))
            due = max((when for _, when in again), default=close)
            waiting = [run for run, _ in again]
    with runtime.ledger.read() as conn:
        newest = newest_h(conn)
    if newest is None or wait_witnessed(runtime, newest, _WITNESS_S, not_before_ms=close) is None:
        raise Conflict("the close is not witnessed: are sequencer and witnesses running?")


def _arg(run: PastTenderRun) -> dict[str, str]:
    return {"tender": run.reference, "lot": LOT[0], "stage": LOT[1]}


def _outcome(run: PastTenderRun, ranking: Ranking) -> Outcome:
    first = ranking.first
    if first is None:
        raise ValueError(f"tender {run.tender.number} has no ranking")
    tied = set(ranking.tie.bids) if ranking.tie is not None else {first.bid}
    marked = next((bid for bid in run.tender.bids if bid.won), None)
    tied_lines = {run.lines[bid] for bid in tied}
    return Outcome(
        tender=run.tender.number,
        bids=len(run.tender.bids),
        chosen_line=run.lines[first.bid],
        chosen_amount=first.price,
        file_line=None if marked is None else marked.line,
        file_amount=None if marked is None else marked.amount,
        equal=marked is not None and marked.line in tied_lines,
    )


def report(past: PastTenders, outcomes: Sequence[Outcome], seconds: float) -> dict[str, Any]:
    """Return the figures: tenders, bids, winners equal, every tender that differs, rows left out, amounts rounded."""
    different = [
        {
            "tender": one.tender,
            "chosen_line": one.chosen_line,
            "chosen_amount": one.chosen_amount,
            "file_line": one.file_line,
            "file_amount": one.file_amount,
        }
        for one in outcomes
        if not one.equal
    ]
    return {
        "tenders": len(outcomes),
        "bids": sum(one.bids for one in outcomes),
        "winners_equal": len(outcomes) - len(different),
        "different": different,
        "rows_left_out": [{"line": bad.line, "reason": bad.reason} for bad in past.bad_rows],
        "amounts_rounded": past.rounded,
        "seconds": round(seconds, 1),
    }


def as_line(figures: dict[str, Any]) -> str:
    """Return the figures as the one JSON line that programs read."""
    return json.dumps(figures, ensure_ascii=False)
