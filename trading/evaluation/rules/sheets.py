"""One score at a time: range, step, intervals, and where words are needed (DOC-15, B10.6; ux C51).

A subjective score lies between zero and the maximum in whole steps, and its extremes need a comment. An objective score
is that of one interval of the documents, so two members who looked at the same fact give the same points.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from trading.evaluation.rules.scoring import Sheet
from trading.kernel.errors import RuleBroken
from trading.procedures.rules.criteria import Criterion, CriterionKind, decimal_of

_POINTS: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,2})?\Z")
COMMENT_LIMIT: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One cell of a sheet: points as a decimal string, the comment or None."""

    points: str
    comment: str | None


def scored(criteria: Sequence[Criterion]) -> tuple[Criterion, ...]:
    """Return the criteria that members score; the price scores itself."""
    return tuple(criterion for criterion in criteria if criterion.kind is not CriterionKind.PRICE)


def check_score(criterion: Criterion, text: str, comment: str) -> Score:
    """Return the score that was entered, in its shortest form.

    Raises:
        RuleBroken: ``score.out_of_range`` (no number, beyond the maximum or off the step), ``score.not_in_bands``
            (DOC-15), ``score.comment_missing`` (an extreme without a word), ``score.comment_long``.
    """
    entered, words = text.strip(), comment.strip()
    bounds = {"criterion_zh": criterion.title_zh, "criterion_en": criterion.title_en, "value": entered[:20]}
    if len(words) > COMMENT_LIMIT:
        raise RuleBroken("score.comment_long", None, **bounds, limit=COMMENT_LIMIT)
    points = Fraction(entered) if _POINTS.match(entered) else None
    if criterion.kind is CriterionKind.OBJECTIVE:
        if points is None or points not in {Fraction(band.points) for band in criterion.bands}:
            raise RuleBroken("score.not_in_bands", "DOC-15", **bounds)
    elif points is None or points > criterion.most or points % Fraction(criterion.step):
        raise RuleBroken("score.out_of_range", "B10.6", **bounds, most=criterion.max, step=criterion.step)
    elif points in {0, criterion.most} and not words:
        raise RuleBroken("score.comment_missing", None, **bounds)
    return Score(points=decimal_of(points), comment=words or None)


def check_sheet(
    criteria: Sequence[Criterion], bids: Sequence[str], cells: Mapping[str, Mapping[str, Score]]
) -> list[dict[str, Any]]:
    """Return the ``items`` of a sheet document, every cell checked again.

    Raises:
        RuleBroken: ``sheet.incomplete`` with how many scores are missing; whatever ``check_score`` refuses.
    """
    wanted = scored(criteria)
    missing = sum(criterion.id not in cells.get(bid, {}) for bid in bids for criterion in wanted)
    if missing:
        raise RuleBroken("sheet.incomplete", None, missing=missing)
    return [{"bid": bid, "scores": [_row(criterion, cells[bid]) for criterion in wanted]} for bid in sorted(bids)]


def _row(criterion: Criterion, cells: Mapping[str, Score]) -> dict[str, Any]:
    cell = cells[criterion.id]
    checked = check_score(criterion, cell.points, cell.comment or "")
    return {"comment": checked.comment, "criterion": criterion.id, "points": checked.points}


def sheet_of(document: Mapping[str, Any]) -> Sheet:
    """Return the scores of a parsed ``mb.score-sheet``."""
    points = {
        item["bid"]: {row["criterion"]: Fraction(row["points"]) for row in item["scores"]} for item in document["items"]
    }
    return Sheet(seat=document["seat"], points=points)


def running_total(criteria: Sequence[Criterion], cells: Mapping[str, Score]) -> str:
    """Return the points entered so far for one bid, without the price."""
    return decimal_of(
        sum((Fraction(cells[each.id].points) for each in scored(criteria) if each.id in cells), Fraction())
    )
