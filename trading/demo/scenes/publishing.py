"""The agency drafts the tender, a second person publishes it; custodians make the share keys of every lot."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from trading.audit.service import platform_ms
from trading.commands.procedure import signed_lots
from trading.custody import queries as custody_queries
from trading.custody import service as custody
from trading.demo import cast
from trading.demo.play import Play
from trading.demo.tender import LOTS, specification
from trading.kernel.signed import SignedDocument
from trading.notices import drafting
from trading.notices import service as notices
from trading.procedures import queries as procedures
from trading.procedures import service as procedure_service

_DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000
_DEADLINE_DAYS: Final = 30
JURISDICTION: Final = "cn"  # the national rules: a committee evaluates


def publish(play: Play) -> None:
    """Draft, review, key ceremony, notice."""
    _draft(play)
    _keys(play)
    play.scene(
        "签署公告、开标规则和时间表，由另一人发布", "notice, policy and schedule are signed; a second person publishes"
    )
    folder = play.stage.folder / "documents"
    _write_documents(play, folder)
    play.sign(cast.AGENCY, "agency", *sorted(folder.glob("*.json")))
    notice = SignedDocument.from_wire((folder / "notice.signed.json").read_bytes())
    lots = signed_lots(folder, [lot.place for lot in LOTS])
    stage = play.stage
    notices.publish_tender(stage.runtime.ledger, stage.actors["reviewer"], play.reference, notice, lots, demo=True)
    play.until(lambda: _no_job_waits(play), "custodians that have admitted the policy")


def _draft(play: Play) -> None:
    stage, ledger = play.stage, play.stage.runtime.ledger
    play.scene("采购中心编制项目，提交复核", "the agency drafts the tender and submits it for review")
    close = (play.now() + _DEADLINE_DAYS * _DAY_MS) // _HOUR_MS * _HOUR_MS
    drafted: dict[str, Any] = specification(close=close, jurisdiction=JURISDICTION)
    play.reference = procedure_service.draft(ledger, stage.actors["drafter"], drafted)
    with ledger.read() as conn:
        play.procedure_id = procedures.find(conn, play.reference).id
    procedure_service.submit_for_review(ledger, stage.actors["drafter"], play.reference)


def _keys(play: Play) -> None:
    stage = play.stage
    play.scene("保管方为每个包生成份额密钥并证明持有", "custodians make share keys for every lot and prove possession")
    with stage.runtime.ledger.read() as conn:
        row = procedures.find(conn, play.reference)
    for each in cast.CUSTODIANS:
        for lot in LOTS:
            custody.ask_for_key(
                stage.runtime.ledger,
                kid=stage.signers[(each.key, "custodian")].kid,
                procedure_id=play.procedure_id,
                tender=play.reference,
                lot=lot.number,
                stage=lot.place[1],
                titles=(row.title_zh, row.title_en),
            )
    play.until(lambda: _all_proved(play), "proved custodian keys of every lot")


def _all_proved(play: Play) -> bool:
    with play.stage.runtime.ledger.read() as conn:
        keys = [key for lot in LOTS for key in custody_queries.keys_of_lot(conn, play.procedure_id, *lot.place)]
    return sum(key.state == "proved" for key in keys) == len(cast.CUSTODIANS) * len(LOTS)


def _no_job_waits(play: Play) -> bool:
    with play.stage.runtime.ledger.read() as conn:
        kids = [play.stage.signers[(each.key, "custodian")].kid for each in cast.CUSTODIANS]
        return not any(custody_queries.waiting(conn, kid, 0) for kid in kids)


def _write_documents(play: Play, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with play.stage.runtime.ledger.read() as conn:
        drafted = drafting.tender_draft(conn, play.reference, at=platform_ms(conn), demo=True)
    (folder / "notice.json").write_bytes(drafted.notice)
    for lot in drafted.lots:
        (folder / f"policy-{lot.lot}-{lot.stage}.json").write_bytes(lot.policy)
        (folder / f"schedule-{lot.lot}-{lot.stage}.json").write_bytes(lot.schedule)
