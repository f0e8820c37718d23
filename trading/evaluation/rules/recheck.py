"""The re-check before the report is signed (B10.6; 87-64): the four grounds on which a score may still change.

Each detector returns every place it finds. Sums, ranges and objective differences must be corrected; an unusual score
must be corrected or explained by the member who gave it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from trading.evaluation.rules.scoring import Sheet
from trading.evaluation.rules.sheets import scored
from trading.kernel.errors import RuleBroken
from trading.procedures.rules.criteria import Criterion, CriterionKind, decimal_of


class Ground(StrEnum):
    """Which line of 87-64 it is."""

    SUM = "sum"
    RANGE = "range"
    OBJECTIVE = "objective"
    OUTLIER = "outlier"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One place to look at again; ``seat`` is None where no single member is meant."""

    ground: Ground
    bid: str
    criterion: str
    seat: str | None
    found: str
    expected: str

    def to_json(self) -> dict[str, str | None]:
        """Return the object as it stands in reports, without the explanation."""
        names = ("bid", "criterion", "found", "seat")
        plain = {name: getattr(self, name) for name in names}
        return {**plain, "expected": self.expected or None, "ground": self.ground.value}


def recheck(criteria: Sequence[Criterion], sheets: Sequence[Sheet], share: Fraction) -> list[Doubt]:
    """Return every doubt about the sheets of one lot; ``share`` of the maximum is how far a score may stand apart."""
    found: list[Doubt] = []
    bids = sorted({bid for sheet in sheets for bid in sheet.points})
    for bid in bids:
        for criterion in scored(criteria):
            points = {sheet.seat: sheet.points[bid][criterion.id] for sheet in sheets}
            found += out_of_range(bid, criterion, points)
            found += objective_difference(bid, criterion, points)
            found += outliers(bid, criterion, points, share)
    return found


def out_of_range(bid: str, criterion: Criterion, points: Mapping[str, Fraction]) -> list[Doubt]:
    """Find scores below zero, above the maximum, off the step, or of no interval (87-64 item 2)."""
    return [
        Doubt(
            ground=Ground.RANGE,
            bid=bid,
            criterion=criterion.id,
            seat=seat,
            found=decimal_of(value),
            expected=f"0-{criterion.max}",
        )
        for seat, value in sorted(points.items())
        if not _possible(criterion, value)
    ]


def _possible(criterion: Criterion, value: Fraction) -> bool:
    if criterion.kind is CriterionKind.OBJECTIVE:
        return value in {Fraction(band.points) for band in criterion.bands}
    return 0 <= value <= criterion.most and value % Fraction(criterion.step) == 0


def objective_difference(bid: str, criterion: Criterion, points: Mapping[str, Fraction]) -> list[Doubt]:
    """Find an objective criterion on which members differ (87-64 item 3)."""
    if criterion.kind is not CriterionKind.OBJECTIVE or len(set(points.values())) <= 1:
        return []
    values = sorted(set(points.values()))
    return [
        Doubt(
            ground=Ground.OBJECTIVE,
            bid=bid,
            criterion=criterion.id,
            seat=None,
            found=" / ".join(decimal_of(value) for value in values),
            expected="",
        )
    ]


def outliers(bid: str, criterion: Criterion, points: Mapping[str, Fraction], share: Fraction) -> list[Doubt]:
    """Find scores farther than ``share`` of the maximum from the mean of the other members; at it is not farther."""
    if criterion.kind is not CriterionKind.SUBJECTIVE or len(points) <= 1:
        return []
    total = sum(points.values(), Fraction(0))
    found = []
    for seat, value in sorted(points.items()):
        mean = (total - value) / (len(points) - 1)
        if abs(value - mean) > share * criterion.most:
            rounded = decimal_of(Fraction(int(mean * 100 + Fraction(1, 2)), 100))
            found.append(
                Doubt(
                    ground=Ground.OUTLIER,
                    bid=bid,
                    criterion=criterion.id,
                    seat=seat,
                    found=decimal_of(value),
                    expected=rounded,
                )
            )
    return found


def sum_errors(shown: Mapping[str, Mapping[str, str]], sheets: Sequence[Sheet]) -> list[Doubt]:
    """Find sums (bid → criterion → sum over all members) that are not the sums of the sheets (87-64 item 1)."""
    found = []
    for bid, sums in sorted(shown.items()):
        for criterion, text in sorted(sums.items()):
            right = decimal_of(sum((sheet.points[bid][criterion] for sheet in sheets), Fraction(0)))
            if text != right:
                found.append(
                    Doubt(ground=Ground.SUM, bid=bid, criterion=criterion, seat=None, found=text, expected=right)
                )
    return found


def require_settled(doubts: Sequence[Doubt], explained: frozenset[tuple[str, str, str]]) -> None:
    """Refuse to draft the report while a score must be corrected or explained.

    Args:
        doubts: Of one lot.
        explained: Bid, criterion and seat of every unusual score that its member has explained.

    Raises:
        RuleBroken: ``recheck.open`` (B10.6) with the number of places.
    """
    left = [each for each in doubts if not _settled(each, explained)]
    if left:
        raise RuleBroken("recheck.open", "B10.6", places=len(left), first=left[0].bid, criterion=left[0].criterion)


def _settled(doubt: Doubt, explained: frozenset[tuple[str, str, str]]) -> bool:
    return doubt.ground is Ground.OUTLIER and (doubt.bid, doubt.criterion, doubt.seat or "") in explained


def require_correctable(doubts: Sequence[Doubt], before: Sheet, after: Sheet) -> None:
    """Refuse a change of an opened sheet anywhere but where the re-check points (87-64).

    Raises:
        RuleBroken: ``recheck.elsewhere`` (B10.6).
    """
    open_places = {
        (each.bid, each.criterion)
        for each in doubts
        if each.seat in {None, before.seat} and each.ground is not Ground.SUM
    }
    for bid, rows in after.points.items():
        for criterion, value in rows.items():
            if before.points[bid][criterion] != value and (bid, criterion) not in open_places:
                raise RuleBroken("recheck.elsewhere", "B10.6", bid=bid, criterion=criterion)


def require_kept(before: Sheet, after: Sheet) -> None:
    """Refuse another score for a bid in a sheet that was open before a member was replaced (EXP-17, EXP-22).

    Whoever has seen the scores of the others is no longer blind; only bids that the sheet did not have are scored.

    Raises:
        RuleBroken: ``recheck.elsewhere`` (B10.6).
    """
    require_correctable((), before, Sheet(seat=after.seat, points=_of_bids(after, before)))


def _of_bids(sheet: Sheet, other: Sheet) -> dict[str, Mapping[str, Fraction]]:
    return {bid: rows for bid, rows in sheet.points.items() if bid in other.points}
