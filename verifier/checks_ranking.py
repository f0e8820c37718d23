"""Checks of notices, ranking and award: RK-01 to RK-03. The rules are in the edition that the notice names."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from verifier.evidence import Document, Logged
from verifier.formulas import Ranked, Recomputed, check_formula, recompute, seed_over
from verifier.hashing import LABEL_RANK_TIE
from verifier.lot import Lot
from verifier.masks import check_masks
from verifier.report import Check
from verifier.scoring import check_committee, evaluated_price, examined
from verifier.verdicts import find_transcript, transcript_item

ABOVE_CEILING = "above_ceiling"
NOT_POSITIVE = "not_positive"
OTHER_CURRENCY = "other_currency"
KEY_BIDDERS_MIN = "bidders.min"
KEY_EXCLUDE_ABOVE = "evaluation.exclude_above_ceiling"
KEY_RECOUNT = "opening.recount_after_decrypt"
TIE_LOTTERY = "price_identity_lottery"
TIE_RULE_ID = "AWD-10"
PUBLICATION_MS = 3_600_000
NOTICE_KINDS = {
    "tender.published": ("tender",),
    "tender.changed": ("correction",),
    "result.published": ("result", "failed"),
    "failure.published": ("failed",),
    "procedure.cancelled": ("cancellation",),
    "contract.published": ("contract",),
}


def notices_of(lot: Lot) -> list[Document]:
    """Return the notices of the procedure by number."""
    found = [doc for doc in lot.evidence.of_type("mb.notice") if doc.value["tender"] == lot.procedure]
    return sorted(found, key=lambda doc: int(doc.value["number"]))


def terms_of(lot: Lot) -> tuple[Document, dict[str, Any]] | None:
    """Return the newest tender or correction notice before the close, and its row for this lot."""
    closed = lot.closed
    found = None
    for logged in lot.records:
        if logged.kind in ("tender.published", "tender.changed") and (closed is None or logged.n < closed.n):
            notice = lot.evidence.document(logged.body["notice_sha256"], "mb.notice")
            row = lot_row(lot, notice)
            if notice is not None and row is not None and "ceiling" in row:
                found = (notice, row)
    return found


def lot_row(lot: Lot, notice: Document | None) -> dict[str, Any] | None:
    """Return the row of this lot and stage in a notice."""
    rows = notice.value["lots"] if notice is not None else []
    return next((row for row in rows if (row["lot"], row["stage"]) == (lot.lot, lot.stage)), None)


def parameter(edition: Document, key: str) -> Any:  # noqa: ANN401 - a number, a switch or a text
    """Return a parameter of an edition, ``None`` if it has none."""
    return next((row["value"] for row in edition.value["parameters"] if row["key"] == key), None)


def opened_bids(lot: Lot) -> list[Logged]:
    """Return the bids that opened with verdict OK, by bid id."""
    return sorted(lot.all("bid.opened"), key=lambda logged: str(logged.body["bid"]).encode())


def check_ranking(lot: Lot, check: Check) -> None:
    """RK-01: the ranking, or the failure of the lot, follows from prices, notice, edition and tie rule."""
    if lot.missing("bids.ranked") and lot.first("lot.failed") is None:
        check.fail(lot.place, "no bids.ranked record, though a result is recorded")
    terms = terms_of(lot)
    for logged in [*lot.all("bids.ranked"), *lot.all("lot.failed")]:
        edition = lot.evidence.document(terms[0].value["edition_sha256"], "mb.edition") if terms else None
        if terms is None or edition is None:
            check.fail(logged.place, "the tender notice or its edition is not in the bundle")
            continue
        if logged.kind == "bids.ranked":
            _check_ranked(lot, check, logged, terms, edition)
        else:
            _check_failed(lot, check, logged, terms[1], edition)


def _price(logged: Logged) -> int:
    price = logged.body["price"]
    total = price.get("total") if price is not None else None
    return total if isinstance(total, int) else 0


def _currency(logged: Logged) -> str | None:
    price = logged.body["price"]
    return price["currency"] if price is not None else None


def reason_of(price: int, currency: str | None, row: dict[str, Any], edition: Document) -> str | None:
    """Return why a quote makes its bid invalid (EVL-02), ``None`` if it does not; one at the ceiling does not."""
    if currency != row["currency"]:
        return OTHER_CURRENCY
    if price <= 0:
        return NOT_POSITIVE
    checked = bool(parameter(edition, KEY_EXCLUDE_ABOVE)) and row["ceiling"] is not None
    return ABOVE_CEILING if checked and price > row["ceiling"] else None


def reasons_of(lot: Lot, row: dict[str, Any], edition: Document, before: int) -> dict[str, str | None]:
    """Return for each opened bid why it is invalid, by its quote or by examination; ``None`` for one that conforms."""
    found = examined(lot, before)
    return {
        bid.body["bid"]: reason_of(_price(bid), _currency(bid), row, edition)
        or found.get(bid.body["bid"], (None, None))[0]
        for bid in opened_bids(lot)
    }


def _check_ranked(
    lot: Lot, check: Check, logged: Logged, terms: tuple[Document, dict[str, Any]], edition: Document
) -> None:
    notice, row = terms
    body, place = logged.body, logged.place
    completed = lot.last("opening.completed")
    check.require(place, "ranked before the opening ended", holds=completed is not None and completed.n < logged.n)
    named = (body["edition_sha256"], body["currency"], body["method"])
    wanted = (notice.value["edition_sha256"], row["currency"], row["method"])
    check.require(place, "edition, currency or method differ from the notice", holds=named == wanted)
    if row["tie_rule"] != TIE_LOTTERY:
        check.gap(place, f"tie rule {row['tie_rule']} is not recomputed yet")
        return
    if not check_formula(check, logged, row):
        return
    opened = opened_bids(lot)
    facts = [(item.body["bid"], item.body["bidder"], _price(item)) for item in opened]
    shown = [(item["bid"], item["bidder"], item["price"]) for item in body["items"]]
    check.require(place, "its bids and prices are not those opened", holds=facts == shown)
    reasons = reasons_of(lot, row, edition, logged.n)
    fails = failure_of(reasons, edition)
    check.require(place, f"the lot fails by {fails}, so nobody is ranked", holds=fails is None)
    check_committee(lot, check, logged, edition)
    masked = bool(row.get("masked")) and row.get("criteria") is not None
    check_masks(lot, check, logged, [fact[0] for fact in facts], masked=masked)
    _check_ranks(lot, check, logged, (row, edition), reasons)


def failure_of(reasons: dict[str, str | None], edition: Document) -> str | None:
    """Return the rule by which an opened lot fails for want of bids, ``None`` if it is ranked (OPN-15, EVL-05)."""
    least = parameter(edition, KEY_BIDDERS_MIN)
    conforming = [bid for bid, reason in reasons.items() if reason is None]
    if isinstance(least, int) and parameter(edition, KEY_RECOUNT) and len(reasons) < least:
        return "OPN-15"
    if isinstance(least, int) and len(conforming) < least:
        return "EVL-05"
    return None if conforming else "EVL-08"


def _check_ranks(
    lot: Lot, check: Check, logged: Logged, terms: tuple[dict[str, Any], Document], reasons: dict[str, str | None]
) -> None:
    (row, edition), body, place = terms, logged.body, logged.place
    granted = {bid: preference for bid, (_, preference) in examined(lot, logged.n).items()}
    valid = [item["bid"] for item in body["items"] if reasons.get(item["bid"]) is None]
    if not valid:
        return
    found = recompute(Ranked(lot, check, logged, row, edition, valid, granted, lambda: price_identities(lot)))
    places = _places(lot, check, logged, found)
    if places is None:
        return
    check.require(place, f"workings {body.get('workings')}, recomputed {found.workings}", holds=_same(body, found))
    for item in body["items"]:
        bid = item["bid"]
        price = found.prices.get(bid, evaluated_price(item["price"], granted.get(bid), row))
        won = (found.scores.get(bid), found.points.get(bid))
        expected = (price, places.get(bid), reasons.get(bid), granted.get(bid), *won)
        names = ("evaluated_price", "rank", "reason", "preference", "score", "price_points")
        shown = tuple(item.get(name) for name in names)
        text = f"bid {bid}: evaluated price, rank, reason, preference, score and price points {shown}"
        check.require(place, f"{text}, recomputed {expected}", holds=shown == expected)


def _same(body: dict[str, Any], found: Recomputed) -> bool:
    return bool(body.get("workings") == found.workings)


def _places(lot: Lot, check: Check, logged: Logged, found: Recomputed) -> dict[str, int] | None:
    """Return the rank of every conforming bid, with the lottery where a place is left for some of the equal only."""
    orders = found.orders
    last = sorted(orders.values())[found.places - 1] if 0 < found.places <= len(orders) else None
    tied = [bid for bid, order in orders.items() if order == last]
    places = {bid: 1 + sum(other < order for other in orders.values()) for bid, order in orders.items()}
    before = sum(order < last for order in orders.values()) if last is not None else 0
    if before + len(tied) <= found.places:
        check.require(logged.place, "names a tie, but there is none", holds=logged.body["tie"] is None)
        return places
    drawn = _check_tie(lot, check, logged, tied)
    if drawn is None:
        return None
    return {**places, **{bid: number for number, bid in enumerate(drawn, before + 1)}}


def price_identities(lot: Lot) -> list[str] | None:
    """Return the price identities of the opened bids in order of bid id, ``None`` if the tier hides them."""
    transcript = find_transcript(lot, "bidders") or find_transcript(lot, "audit")
    if transcript is None:
        return None
    rows = [transcript_item(transcript, item.body["bid"]) for item in opened_bids(lot)]
    return [row["identity_price"] or "" for row in rows if row is not None]


def _check_tie(lot: Lot, check: Check, logged: Logged, tied: list[str]) -> list[str] | None:
    """Recompute the lottery among equal bids (AWD-10) and return their order, ``None`` if none is named."""
    tie, place = logged.body["tie"], logged.place
    if not check.require(place, "a tie at the top is not named", holds=tie is not None):
        return None
    named = (tie["bids"], tie["rule"]) == (tied, TIE_RULE_ID)
    check.require(place, "the tie names other bids or another rule", holds=named)
    identities = price_identities(lot)
    if identities is None:
        check.note(place, "the seed of the tie needs the price identities, which this tier does not hold")
    else:
        seed = seed_over(LABEL_RANK_TIE, identities).hex()
        check.require(place, "the seed is not the hash of the price identities", holds=tie["seed"] == seed)
    return sorted(tied, key=lambda bid: sha256(bytes.fromhex(tie["seed"]) + bid.encode()).digest())


def _check_failed(lot: Lot, check: Check, logged: Logged, row: dict[str, Any], edition: Document) -> None:
    body, closed = logged.body, lot.closed
    least = parameter(edition, KEY_BIDDERS_MIN)
    if lot.first("opening.completed") is None:
        few = closed is not None and isinstance(least, int) and closed.body["count"] < least
        check.require(logged.place, "failed, though enough bids were received", holds=few)
        check.require(logged.place, "another reason than the count", holds=body["reason"] == "fewer_than_three")
        return
    found = failure_of(reasons_of(lot, row, edition, logged.n), edition)
    text = f"failed by {body['rule']}, recomputed {found}"
    check.require(logged.place, text, holds=found is not None and found == body["rule"])


def check_award(lot: Lot, check: Check) -> None:
    """RK-02: the award goes to rank 1 of the ranking; result notice and contract say the same."""
    if lot.missing("award.determined") and lot.first("lot.failed") is None:
        check.fail(lot.place, "no award.determined record, though a result was published")
    ranked, award = lot.last("bids.ranked"), lot.last("award.determined")
    if award is not None:
        first = [item for item in ranked.body["items"] if item["rank"] == 1] if ranked is not None else []
        holds = ranked is not None and award.body["ranked_h"] == ranked.h and ranked.n < award.n
        check.require(award.place, "names another ranking", holds=holds)
        same = [[item[name] for name in ("bid", "bidder", "price")] for item in first]
        given = [award.body[name] for name in ("bid", "bidder", "price")]
        check.require(award.place, "the award does not go to rank 1 at its price", holds=same == [given])
    for logged, notice in lot.pairs("result.published", "notice_sha256", "mb.notice"):
        _check_result_notice(lot, check, logged, notice, award)
    for logged, contract in lot.pairs("contract.signed", "contract_sha256", "mb.contract"):
        _check_contract(lot, check, logged, contract, award)


def _check_contract(lot: Lot, check: Check, logged: Logged, contract: Document, award: Logged | None) -> None:
    """The contract is between the parties of the award, at its price, signed by both (CON-01, CON-09)."""
    value, place = contract.value, contract.place
    if not check.require(logged.place, "a contract without an award", holds=award is not None) or award is None:
        return
    here = (value["tender"], value["lot"], value["stage"]) == (lot.procedure, lot.lot, lot.stage)
    check.require(place, "is of another lot", holds=here)
    given = [award.body[name] for name in ("bid", "bidder", "price")]
    told = [value["bid"], value["supplier"]["code"], value["price"]]
    same = told == given == [logged.body[name] for name in ("bid", "bidder", "price")]
    check.require(place, "supplier or price differ from the award", holds=same and value["award_h"] == award.h)
    supplier = contract.signed_by("bidder")
    signed = contract.signed_by("agency") is not None and supplier is not None
    check.require(place, "not signed by agency and supplier", holds=signed)
    check.require(logged.place, "signed before the award was determined", holds=award.n < logged.n)
    check.require(logged.place, "signed after the time that it names", holds=logged.at < value["sign_before"])
    for published, notice in lot.pairs("contract.published", "notice_sha256", "mb.notice"):
        row = lot_row(lot, notice)
        shown = None if row is None else [row.get("contract_sha256"), row.get("price"), row.get("signed_at")]
        same = shown == [contract.sha256, value["price"], logged.at] and logged.n < published.n
        check.require(notice.place, "announces another contract than the record", holds=same)


def _check_result_notice(lot: Lot, check: Check, logged: Logged, notice: Document, award: Logged | None) -> None:
    row = lot_row(lot, notice)
    if not check.require(notice.place, "has no row for this lot", holds=row is not None and "award" in row):
        return
    shown, ranked = (row["award"], row["ranked_h"]) if row is not None else (None, None)
    kind = notice.value["kind"]
    if award is None:
        failed = lot.first("lot.failed") is not None and shown is None and kind == "failed"
        check.require(notice.place, "announces a result without an award, or no failure", holds=failed)
        return
    wanted = {name: award.body[name] for name in ("bid", "bidder", "price")}
    told = {name: shown.get(name) for name in wanted} if shown is not None else None
    same = (kind, told, ranked) == ("result", wanted, award.body["ranked_h"])
    check.require(notice.place, "announces another award than the record", holds=same)
    check.require(logged.place, "published before the award was determined", holds=award.n < logged.n)


def check_notices(lot: Lot, check: Check) -> None:
    """RK-03: notices signed by one agency, numbered without gaps, each superseding the one before it."""
    before: Document | None = None
    agencies = set()
    for expected, notice in enumerate(notices_of(lot), 1):
        value, place = notice.value, notice.place
        check.require(place, f"notice {value['number']} where {expected} is due", holds=value["number"] == expected)
        named = before.sha256 if before is not None else None
        check.require(place, "supersedes is not the notice before it", holds=value["supersedes"] == named)
        signer = notice.signed_by("agency")
        check.require(place, "not signed by an agency", holds=signer is not None)
        agencies.add(signer.name if signer is not None else "")
        check.require(
            place, "only the first notice is a tender notice", holds=(value["kind"] == "tender") == (expected == 1)
        )
        same = before is None or value["edition_sha256"] == before.value["edition_sha256"]
        check.require(place, "another edition than the tender notice", holds=same)
        before = notice
    policy = lot.policy
    signer = policy.signed_by("agency") if policy is not None else None
    if signer is not None and agencies:
        check.require(lot.place, "notices and policy signed by different agencies", holds=agencies == {signer.name})
    in_force = None
    for logged in lot.records:
        if logged.body.get("evidence"):
            kept = logged.body["notice_sha256"] == in_force
            check.require(logged.place, "moved by rule, it names another notice than the one in force", holds=kept)
            continue
        allowed = NOTICE_KINDS.get(logged.kind)
        if logged.kind in ("tender.published", "tender.changed"):
            in_force = logged.body["notice_sha256"]
        published = lot.evidence.document(logged.body["notice_sha256"], "mb.notice") if allowed else None
        if allowed is not None and published is not None:
            _check_named_notice(lot, check, logged, published, allowed)


def _check_named_notice(lot: Lot, check: Check, logged: Logged, notice: Document, allowed: tuple[str, ...]) -> None:
    value, row = notice.value, lot_row(lot, notice)
    check.require(logged.place, "names a notice of another procedure", holds=value["tender"] == lot.procedure)
    check.require(logged.place, f"names a notice of kind {value['kind']}", holds=value["kind"] in allowed)
    near = abs(value["published_at"] - logged.at) <= PUBLICATION_MS
    check.require(logged.place, "published_at of the notice is more than an hour away", holds=near)
    check.require(notice.place, "has no row for this lot", holds=row is not None)
    if row is not None and "schedule_sha256" in row and "schedule_sha256" in logged.body:
        same = row["schedule_sha256"] == logged.body["schedule_sha256"]
        check.require(notice.place, "names another schedule than the record", holds=same)
        policies = [fixed.body["policy_sha256"] for fixed in lot.all("policy.fixed") if fixed.n < logged.n]
        fixed = row["policy_sha256"] in policies
        check.require(notice.place, "names a policy that was not fixed before", holds=fixed)
