"""What examination, sheets and report say of a lot, recomputed for RK-01: B10.4, EXP-17, EXP-20, EXP-21."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from verifier.evidence import Document, Logged
from verifier.lot import Lot
from verifier.masks import with_bids
from verifier.report import Check
from verifier.sheets import SHEET, check_handed_in, check_voided, seats_of, signed_before

KEY_COMMITTEE = "committee.required"
EXCLUDED_BY = (("qualification", "not_qualified"), ("conformity", "not_conforming"), ("price", "abnormally_low"))
INVALID = "invalid"


def examined(lot: Lot, before: int) -> dict[str, tuple[str | None, str | None]]:
    """Return per bid its exclusion and the preference granted, by the newest finding of each step before ``before``."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for logged in lot.all("bid.examined"):
        if logged.n < before:
            newest[logged.body["bid"], logged.body["step"]] = logged.body
    found = {}
    for bid in {bid for bid, _ in newest}:
        bodies = [newest[bid, step] for step, _ in EXCLUDED_BY if (bid, step) in newest]
        reasons = [dict(EXCLUDED_BY)[body["step"]] for body in bodies if body["outcome"] == INVALID]
        granted = [body["preference"] for body in bodies if body["preference"] is not None]
        found[bid] = (reasons[0] if reasons else None, granted[0] if granted else None)
    return found


def deviations_found(lot: Lot, before: int) -> dict[str, list[dict[str, str]]]:
    """Return per bid the deviations of the newest finding of conformity before ``before`` (MET-05)."""
    return {
        logged.body["bid"]: logged.body.get("deviations") or []
        for logged in lot.all("bid.examined")
        if logged.n < before and logged.body["step"] == "conformity"
    }


def evaluated_price(price: int, granted: str | None, row: dict[str, Any]) -> int:
    """Return the quote less the deductions of the notice, each of the quote itself, half up to the minor unit."""
    return half_up(price * (100 - percents_of(granted, row)) / 100)


def percents_of(granted: str | None, row: dict[str, Any]) -> Fraction:
    """Return the per cent of all claims that were granted, such as of ``small_micro+domestic``, together."""
    preference = row.get("preference")
    if granted is None or preference is None:
        return Fraction(0)
    return sum((Fraction(preference.get(claim, "0")) for claim in granted.split("+")), Fraction(0))


def half_up(value: Fraction) -> int:
    """Return a value that is not negative as an integer, half up."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def scores(
    lot: Lot, check: Check, logged: Logged, criteria: list[dict[str, Any]], priced: dict[str, Fraction], decimals: int
) -> dict[str, str]:
    """Return the total of every bid in ``priced`` as text, from the points of its price and the sums of the record."""
    members, totals = int(logged.body.get("members") or 0), {}
    known = members > 0 and decimals >= 0 and bool(criteria)
    if not check.require(logged.place, "scored without criteria, members or decimals", holds=known):
        return {}
    for item in logged.body["items"]:
        if item["bid"] in priced:
            exact = priced[item["bid"]] + _judged(check, logged, item, criteria, members)
            totals[item["bid"]] = digits(half_up(exact * 10**decimals), decimals)
    _check_sheets(lot, check, logged, criteria)
    return totals


def _judged(
    check: Check, logged: Logged, item: dict[str, Any], criteria: list[dict[str, Any]], members: int
) -> Fraction:
    sums = {line["criterion"]: Fraction(line["sum"]) for line in item.get("scores") or []}
    scored = [criterion for criterion in criteria if criterion["kind"] != "price"]
    named = list(sums) == [criterion["id"] for criterion in scored]
    check.require(logged.place, f"bid {item['bid']}: its scores are not those of the criteria", holds=named)
    total = Fraction(0)
    for criterion in scored:
        value = sums.get(criterion["id"], Fraction(0))
        inside = 0 <= value <= members * Fraction(criterion["max"])
        check.require(logged.place, f"bid {item['bid']}: {criterion['id']} is out of its range", holds=inside)
        total += value / members
    return total


def digits(score: int, decimals: int) -> str:
    """Return points in units of the last decimal as text: 8713 with two decimals is ``87.13``."""
    whole, part = divmod(score, 10**decimals)
    return f"{whole}.{part:0{decimals}d}" if decimals else str(whole)


def _check_sheets(lot: Lot, check: Check, logged: Logged, criteria: list[dict[str, Any]]) -> None:
    """The opened sheets are those that the members committed to, and their sums are those of the record."""
    opened = next((each for each in lot.all("scores.opened")[::-1] if each.n < logged.n), None)
    if opened is None:
        check.fail(logged.place, "ranked by scores that were never opened")
        return
    signed = signed_before(lot, opened.n)
    seats = seats_of(lot, opened.n)
    held = sorted(signed[seat].body["sheet_commit"] if seat in signed else "" for seat in seats)
    check_handed_in(lot, check, opened)
    check_voided(lot, check, opened)
    check.require(
        opened.place, "opens other sheets than the members signed", holds=held == sorted(opened.body["sheets"])
    )
    check.require(logged.place, "counts another number of members", holds=logged.body["members"] == len(seats))
    found = [lot.evidence.document(sha256, SHEET) for sha256 in opened.body["sheets"]]
    sheets = [document.value for document in found if document is not None]
    disclosed = bool(sheets) and not lot.evidence.holds("audit")
    check.require(opened.place, "a lower tier discloses the sheets of members", holds=not disclosed)
    if len(sheets) < len(found):
        if lot.evidence.holds("audit"):
            check.fail(opened.place, "a sheet that it opens is not in the bundle")
        check.note(logged.place, "the sums need the sheets of the members, which this tier does not hold")
        return
    named = with_bids(lot, check, opened, sheets)
    _check_sums(check, logged, named, [each["id"] for each in criteria if each["kind"] != "price"])


def _check_sums(check: Check, logged: Logged, sheets: list[dict[str, Any]], scored: list[str]) -> None:
    for item in logged.body["items"]:
        for line in item.get("scores") or []:
            points = [
                Fraction(row["points"])
                for sheet in sheets
                for entry in sheet["items"]
                for row in entry["scores"]
                if (entry["bid"], row["criterion"]) == (item["bid"], line["criterion"])
            ]
            right = len(points) == len(sheets) and sum(points, Fraction(0)) == Fraction(line["sum"])
            text = f"bid {item['bid']}: the sum of {line['criterion']} is not that of the sheets"
            check.require(logged.place, text, holds=right and line["criterion"] in scored)


def check_committee(lot: Lot, check: Check, logged: Logged, edition: Document) -> None:
    """A committee that the edition wants has begun before, and every member has signed one report (EXP-03, EXP-20)."""
    wanted = [line["value"] for line in edition.value["parameters"] if line["key"] == KEY_COMMITTEE]
    if wanted != [True]:
        return
    seats = seats_of(lot, logged.n)
    if not check.require(logged.place, "ranked without the committee that the edition wants", holds=bool(seats)):
        return
    signed: dict[str, set[str]] = {}
    for each in lot.evidence.of_kind("report.signed"):
        if each.procedure == lot.procedure and each.n < logged.n:
            signed.setdefault(each.body["report_sha256"], set()).add(each.body["seat"])
    complete = [sha256 for sha256, by in signed.items() if by >= seats]
    check.require(logged.place, "no report is signed by every member", holds=bool(complete))
