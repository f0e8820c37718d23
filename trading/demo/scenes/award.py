"""Ranking and award of every lot, the result notice with the experts' names, the contract and its notice."""

from __future__ import annotations

from typing import Final

from trading.audit.service import platform_ms
from trading.awards import service as awards
from trading.awards.queries import award_of
from trading.contracts import service as contracts
from trading.contracts.drafting import Terms, contract_draft
from trading.demo import cast
from trading.demo.play import Play
from trading.demo.tender import LOTS, Lot, shown
from trading.evaluation import service as evaluation
from trading.evaluation.rules.ranking import Ranking
from trading.experts import queries as experts
from trading.experts.service import disclosure
from trading.notices import drafting
from trading.notices import service as notices

_RESULT: Final = {
    "text_zh": "评审结果如下。对结果有异议的供应商可以依法提出质疑。",
    "text_en": "The result of the evaluation. Suppliers may challenge it by law.",
}
_CONTRACT: Final = {"text_zh": "采购合同已经签订，内容如下。", "text_en": "The contract has been signed as follows."}


def award(play: Play) -> None:
    """Rank, determine the awards, publish the result."""
    stage, ledger = play.stage, play.stage.runtime.ledger
    play.scene("排序，确定中标人", "the bids are ranked, the awards determined")
    for lot in LOTS:
        ranking, _ = evaluation.evaluate(ledger, stage.actors["drafter"], play.reference, *lot.place)
        _show(play, lot, ranking)
        awards.determine(ledger, stage.actors["drafter"], play.reference, *lot.place)
    play.scene("公布评审专家名单，发布结果公告", "the experts' names are disclosed, the result is published")
    disclosure.disclose_names(ledger, stage.actors["centre"], play.reference)
    play.until(lambda: _named(play), "the names of the committee")
    with ledger.read() as conn:
        draft = drafting.closing_draft(conn, play.reference, at=platform_ms(conn), kind="result", texts=_RESULT)
    target = stage.folder / "result.json"
    target.write_bytes(draft)
    (signed,) = play.sign(cast.AGENCY, "agency", target)
    notices.publish_result(ledger, stage.actors["reviewer"], play.reference, play.read(signed))


def conclude(play: Play) -> None:
    """Sign the contract of every lot with its supplier, and publish it."""
    play.scene("双方签订合同，公告合同", "buyer and suppliers sign, the contracts are published")
    for lot in LOTS:
        _contract(play, lot)


def _contract(play: Play, lot: Lot) -> None:
    stage, ledger = play.stage, play.stage.runtime.ledger
    with ledger.read() as conn:
        won = award_of(conn, play.procedure_id, *lot.place)
    if won is None:
        raise ValueError(f"lot {lot.number} has no award")
    supplier = next(each for each in lot.bidders if each.code == won.bidder)
    terms = Terms(
        number=f"LJ-2026-{lot.number}",
        terms_zh="验收合格后 30 日内付款。",
        terms_en="Payment 30 days after acceptance.",
    )
    with ledger.read() as conn:
        draft = contract_draft(conn, play.reference, lot.place, at=platform_ms(conn), terms=terms)
    target = stage.folder / f"contract-{lot.number}.json"
    target.write_bytes(draft)
    (offered,) = play.sign(cast.AGENCY, "agency", target)
    contracts.offer(ledger, stage.actors["drafter"], play.reference, play.read(offered))
    (agreed,) = play.sign(supplier, "bidder", target)
    contracts.sign(ledger, stage.actors[supplier.key], play.reference, *lot.place, play.read(agreed))
    _publish(play, lot)


def _publish(play: Play, lot: Lot) -> None:
    stage, ledger = play.stage, play.stage.runtime.ledger
    with ledger.read() as conn:
        draft = drafting.contract_notice_draft(conn, play.reference, lot.place, at=platform_ms(conn), texts=_CONTRACT)
    target = stage.folder / f"contract-notice-{lot.number}.json"
    target.write_bytes(draft)
    (signed,) = play.sign(cast.AGENCY, "agency", target)
    notices.publish_contract(ledger, stage.actors["reviewer"], play.reference, play.read(signed))


def _named(play: Play) -> bool:
    with play.stage.runtime.ledger.read() as conn:
        return bool(experts.panel_of(conn, play.procedure_id))


def _show(play: Play, lot: Lot, ranking: Ranking) -> None:
    names = {each.code: each.name_zh for each in cast.BIDDERS}
    play.console.print(f"  [bold]{lot.number}[/bold] {lot.title_zh}", highlight=False)
    for item in sorted(ranking.items, key=lambda item: (item.rank is None, item.rank or 0)):
        line = f"  {item.rank or '–'}  {names[item.bidder]}  {shown(item.price)}  {item.reason or ''}"
        play.console.print(line.rstrip(), highlight=False)
