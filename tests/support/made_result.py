"""The told tender from the combination to the result notice (SB1 S9.8, S9.9, S11; ranking and award)."""

from __future__ import annotations

from typing import Any

from tests.support.made_log import Entry, sha256
from tests.support.made_opening import adjudicate
from tests.support.made_tender import LOT, TENDER, Bid, Tender
from trading.kernel.canonical import dumps
from trading.kernel.digests import tuple_hash


def open_bids(tender: Tender) -> None:
    """Combine all, then open all; transcripts (S9.8, S9.9)."""
    combined = []
    for bid in tender.ordered:
        verdict = tender.verdict_of(bid)
        shown = "OK" if verdict == "BIDDER_MALFORMED_CONTENT" else verdict
        combined.append({"bid": bid.id, "faults": tender.faults_of(bid), "verdict": shown})
    tender.record("opening.combined", {"items": combined, **LOT})
    for bid in tender.ordered:
        sealed = bid.sealed
        if tender.verdict_of(bid) == "OK":
            body: dict[str, Any] = {
                "bid": bid.id,
                "bidder": bid.signer.org,
                "envelope_sha256": sealed.sha256,
                "manifest_sha256": sealed.manifest_sha256,
                "price": sealed.price,
                "price_sha256": sha256(dumps(sealed.price)).hex(),
            }
            tender.record("bid.opened", body)
        else:
            body = {"bid": bid.id, "faults": tender.faults_of(bid), "verdict": tender.verdict_of(bid)}
            tender.record("bid.verdict", body)
    names = sorted([transcript(tender, "bidders"), transcript(tender, "audit")])
    tender.record("opening.completed", {"transcript_sha256s": names, **LOT})
    bad = tender.scenario.false_bad or tender.scenario.dealt_bad
    if tender.scenario.adjudicated_late and bad is not None:
        settle(tender, bad[0], tender.bids[bad[1]])


def settle(tender: Tender, custodian: int, bid: Bid) -> None:
    """An adjudication after the opening and the verdicts that it decides (S10 row 9)."""
    adjudicate(tender, custodian, bid)
    for number, verdict in tender.scenario.final.items():
        added = [{"code": code, "custodian": index} for index, code in tender.scenario.final_faults.items()]
        faults = sorted([*tender.faults_of(tender.bids[number]), *added], key=lambda fault: fault["custodian"])
        tender.record("bid.verdict", {"bid": tender.bids[number].id, "faults": faults, "verdict": verdict})


def transcript(tender: Tender, tier: str) -> str:
    fields = {
        "created": tender.now,
        "items": [transcript_item(tender, bid, tier) for bid in tender.ordered],
        "order_sha256": tender.order_sha256,
        "release_sha256s": tender.releases,
        "tier": tier,
        "typ": "sb1.transcript",
    }
    return tender.document(fields, tender.operator, tender.supervisor, secret=tier == "audit")


def transcript_item(tender: Tender, bid: Bid, tier: str) -> dict[str, Any]:
    sealed, verdict, opened = bid.sealed, tender.verdict_of(bid), tender.verdict_of(bid) == "OK"
    item = {
        "bid": bid.id,
        "envelope_sha256": sealed.sha256,
        "faults": tender.faults_of(bid),
        "identity_price": sealed.identities["price"] if opened else None,
        "verdict": verdict,
    }
    if tier == "bidders":
        return item
    known = verdict in ("OK", "BIDDER_MALFORMED_CONTENT", "BIDDER_MALFORMED_SEALING")
    revealed = bid.number not in tender.scenario.without_factor and tender.scenario.factor_mode
    return {
        **item,
        "identity_main": sealed.identities["main"] if opened else None,
        "manifest_sha256": sealed.manifest_sha256 if opened else None,
        "price_sha256": sha256(dumps(sealed.price)).hex() if opened else None,
        "s_b": sealed.s_b.hex() if revealed else None,
        "s_c": sealed.s_c.hex() if known else None,
        "shares": [share.hex() for share in tender.good_shares(bid)],
    }


def rank(tender: Tender) -> None:
    """Ranking by the lowest price, award, result notice; or the failure of the lot."""
    opened = [bid for bid in tender.ordered if tender.verdict_of(bid) == "OK"]
    totals = {bid.id: tender.scenario.totals[bid.number] for bid in opened}
    ceiling = tender.scenario.ceiling
    valid = {bid: total for bid, total in totals.items() if ceiling is None or total <= ceiling}
    if len(opened) < 3 or len(valid) < 3:
        rule = "OPN-15" if len(opened) < 3 else "EVL-05"
        tender.record("lot.failed", {"reason": "fewer_than_three_after_opening", "rule": rule, **LOT})
        row = {"award": None, "lot": "1", "ranked_h": None, "reason": "failed", "stage": "all"}
        tender.record("result.published", {"notice_sha256": tender.notice("failed", [row]), **LOT})
        return
    ranks = {bid: 1 + sum(other < total for other in valid.values()) for bid, total in valid.items()}
    tied = sorted(bid for bid, total in valid.items() if total == min(valid.values()))
    tie = None
    if len(tied) > 1:
        seed = tuple_hash("mingbiao/rank/tie", *(bid.sealed.identities["price"].encode() for bid in opened))
        tie = {"bids": tied, "rule": "AWD-10", "seed": seed.hex()}
        drawn = sorted(tied, key=lambda bid: sha256(seed + bid.encode()))
        ranks.update({bid: place for place, bid in enumerate(drawn, 1)})
    items = [
        {
            "bid": bid.id,
            "bidder": bid.signer.org,
            "evaluated_price": totals[bid.id],
            "price": totals[bid.id],
            "rank": ranks.get(bid.id),
            "reason": None if bid.id in valid else "above_ceiling",
        }
        for bid in opened
    ]
    body = {
        "currency": "CNY",
        "edition_sha256": tender.edition_sha256,
        "items": items,
        "method": "lowest_evaluated_price",
        "tie": tie,
        **LOT,
    }
    award(tender, tender.record("bids.ranked", body))


def award(tender: Tender, ranked: Entry) -> None:
    first = next(item for item in ranked.value["body"]["items"] if item["rank"] == 1)
    award = {name: first[name] for name in ("bid", "bidder", "price")}
    determined = tender.record("award.determined", {**award, "ranked_h": ranked.h, **LOT}, "lot:1")
    row = {"award": award, "lot": "1", "ranked_h": ranked.h, "reason": None, "stage": "all"}
    tender.record("result.published", {"notice_sha256": tender.notice("result", [row]), **LOT})
    if tender.scenario.contracted:
        contract(tender, award, determined)


def contract(tender: Tender, award: dict[str, Any], determined: Entry) -> None:
    """The contract of the award, signed by agency and supplier, published and filed (CON-01 to CON-03)."""
    winner = next(bid for bid in tender.bids if bid.id == award["bid"])
    supplier = {"code": winner.signer.org, "name_en": "Supplier", "name_zh": winner.signer.name}
    fields = {
        "agency": {"code": tender.agency.org, "name_en": "Example Agency", "name_zh": tender.agency.name},
        "award_h": determined.h,
        "bid": award["bid"],
        "buyer": {"code": "12310000BUYER00001", "name_en": "Example School", "name_zh": "示例市第一中学"},
        "created": tender.now,
        "currency": "CNY",
        "number": "2026-1",
        "price": award["price"],
        "sign_before": tender.now + 30 * 86_400_000,
        "supplier": supplier,
        "tender": TENDER,
        "terms_en": "As tendered.",
        "terms_zh": "按招标文件。",
        "title_en": "Desks",
        "title_zh": "课桌",
        "typ": "mb.contract",
        **LOT,
    }
    digest = tender.document(fields, tender.agency, winner.signer)
    signed = tender.record("contract.signed", {"contract_sha256": digest, **award, **LOT}, "lot:1")
    row = {
        "contract_sha256": digest,
        "currency": "CNY",
        "price": award["price"],
        "signed_at": signed.value["at"],
        "supplier": supplier,
        **LOT,
    }
    notice = tender.notice("contract", [row])
    tender.record("contract.published", {"contract_sha256": digest, "notice_sha256": notice, **LOT}, "lot:1")
    tender.record("contract.filed", {"contract_sha256": digest, "filing": "2026-15", **LOT}, "lot:1")
