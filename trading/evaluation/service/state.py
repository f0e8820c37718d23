"""Where the evaluation of a lot stands: what is known, and what is still missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, Final

from sqlalchemy import Connection

from trading.documents import queries as documents
from trading.evaluation import queries, store
from trading.evaluation.queries import ExplanationRow, FindingRow
from trading.evaluation.rules.abnormal import Trigger, triggers
from trading.evaluation.rules.documents import SHEET
from trading.evaluation.rules.examination import CLAIM, Claim, Examined, Outcome, Step, examined_of, is_domestic
from trading.evaluation.rules.masks import Masks, draw
from trading.evaluation.rules.ranking import OpenedBid, Ranking, RankingRules, quote_reason, rank
from trading.evaluation.rules.recheck import Doubt, recheck, sum_errors
from trading.evaluation.rules.scoring import Sheet, of_bids
from trading.evaluation.rules.sheets import sheet_of
from trading.kernel.canonical import loads_object
from trading.kernel.errors import IntegrityFailure, RuleBroken
from trading.openings import queries as openings
from trading.openings.model import Place
from trading.openings.rules.transcripts import parse_transcript
from trading.procedures import queries as procedure_queries
from trading.procedures import service as procedures
from trading.procedures.queries import LotRow, ProcedureRow
from trading.procedures.rules.formula_terms import DeviationFactor, DeviationTerms
from trading.procedures.rules.policies import Method
from trading.rulebook.keys import Key, Regime

_OPENED: Final = "opened"


@dataclass(frozen=True, kw_only=True)
class LotState:
    """One lot in evaluation. ``prices`` are the price documents read out, by bid; findings without the void ones.

    ``masked`` as the documents say (暗标); ``masks`` are its letters from the beginning of the sitting on, which sheets
    name for good, and ``hidden`` says that they are not disclosed yet: members see them instead of bidders.
    """

    row: ProcedureRow
    lot: LotRow
    place: Place
    rules: RankingRules
    opened: tuple[OpenedBid, ...]
    prices: Mapping[str, dict[str, Any]]
    findings: tuple[FindingRow, ...]
    explanations: Mapping[str, ExplanationRow]
    masked: bool = False
    masks: Masks | None = None
    hidden: bool = False

    @cached_property
    def examined(self) -> dict[str, Examined]:
        """What examination has found so far, by bid."""
        return examined_of(each.finding for each in self.findings if not each.void)

    @cached_property
    def quoted(self) -> tuple[OpenedBid, ...]:
        """The bids whose quote alone does not make them invalid: those that anybody examines."""
        return tuple(bid for bid in self.opened if quote_reason(bid, self.rules) is None)

    def found(self, step: Step) -> dict[str, FindingRow]:
        """Return the findings of one step that hold, by bid."""
        return {each.finding.bid: each for each in self.findings if each.finding.step == step and not each.void}

    @cached_property
    def unqualified(self) -> tuple[str, ...]:
        """Bids whose qualification nobody has examined yet."""
        return tuple(bid.bid for bid in self.quoted if bid.bid not in self.found(Step.QUALIFICATION))

    @cached_property
    def qualified(self) -> tuple[OpenedBid, ...]:
        """The bids that the committee examines."""
        passed = self.found(Step.QUALIFICATION)
        return tuple(
            bid for bid in self.quoted if bid.bid in passed and passed[bid.bid].finding.outcome is Outcome.CONFORMING
        )

    def pending(self, step: Step) -> tuple[OpenedBid, ...]:
        """Return the bids on which the committee has not decided a step.

        Prices were read out with names, so nothing is said of them while letters stand for names.
        """
        if step == Step.PRICE and self.hidden:
            return ()
        asked = self.qualified if step == Step.CONFORMITY else [b for b in self.qualified if b.bid in self.explanations]
        return tuple(bid for bid in asked if bid.bid not in self.found(step))

    @cached_property
    def conforming(self) -> tuple[OpenedBid, ...]:
        """The qualified bids that nothing excludes so far."""
        clear = Examined(exclusion=None, preference=None)
        return tuple(bid for bid in self.qualified if self.examined.get(bid.bid, clear).exclusion is None)

    @property
    def examined_fully(self) -> bool:
        """Whether every step about every bid is decided."""
        return not (self.unqualified or self.pending(Step.CONFORMITY) or self.pending(Step.PRICE))

    @property
    def scored(self) -> bool:
        """Whether members fill sheets: a scoring lot that does not fail."""
        return self.rules.method.scored and not self.fails

    @cached_property
    def fails(self) -> bool:
        """Whether too few bids are left already, whatever is still examined (OPN-15, EVL-05)."""
        lowest = Method.LOWEST_EVALUATED_PRICE
        return rank(self.opened, _by(self.rules, lowest), examined=self.examined).failure is not None

    def claim(self, bid: str) -> Claim | None:
        """Return what a bidder declared about itself in the price form (PRF-01, PRF-02)."""
        value = (self.prices[bid].get("terms") or {}).get(CLAIM)
        return Claim(value) if value in {Claim.SMALL_MICRO, Claim.CONSORTIUM} else None

    def claimed(self, bid: str) -> str | None:
        """Return all that a bidder claims, joined by ``+`` as findings name it, None for nothing.

        Domestic products are claimed by their share of the cost in the price form, and count from the share of the
        edition on, where the documents grant a deduction for them (PRF-06).
        """
        terms, preference = self.prices[bid].get("terms") or {}, self.rules.preference
        granting = preference is not None and preference.domestic is not None
        sme = self.claim(bid)
        claims = [] if sme is None else [sme.value]
        if granting and is_domestic(terms, self.rules.edition, self.rules.regime):
            claims.append(Claim.DOMESTIC.value)
        return "+".join(claims) or None

    def sheet_name(self, bid: str) -> str:
        """Return how the sheets of this lot name a bid: by its letter where bidders are masked, else by reference."""
        return bid if self.masks is None else self.masks.by_bid[bid]

    def scores_in(self, document: Mapping[str, Any]) -> Sheet:
        """Return the scores of a sheet of this lot by reference, whichever way it names bids."""
        return sheet_of(document) if self.masks is None else self.masks.named(sheet_of(document))

    @property
    def factors(self) -> tuple[DeviationFactor, ...]:
        """The deviations that the documents quantify (MET-05); none for other methods."""
        terms = self.rules.terms
        return terms.factors if isinstance(terms, DeviationTerms) else ()

    @property
    def measured(self) -> tuple[OpenedBid, ...]:
        """The opened bids with the deviations that the committee found."""
        found = self.found(Step.CONFORMITY)
        return tuple(
            replace(bid, deviations={name: Fraction(units) for name, units in found[bid.bid].finding.deviations})
            if bid.bid in found
            else bid
            for bid in self.opened
        )

    def doubts(self, sheets: tuple[Sheet, ...]) -> list[Doubt]:
        """Return what the re-check points at in open sheets: sums, ranges, objective differences, outliers (B10.6)."""
        if not sheets:
            return []
        sheets = of_bids(sheets, {bid.bid for bid in self.conforming})
        shown = {item.bid: dict(item.scores) for item in self.ranking(sheets).items if item.scores is not None}
        share = self.rules.edition.fraction(Key.OUTLIER_SHARE, self.rules.regime)
        return [*sum_errors(shown, sheets), *recheck(self.rules.criteria, sheets, share)]

    def doubted(self) -> dict[str, tuple[Trigger, ...]]:
        """Return the conforming bids whose price must be explained and why (B10.3)."""
        quotes = {bid.bid: bid.price for bid in self.conforming}
        rules = self.rules
        return triggers(quotes, rules.ceiling, rules.edition, rules.regime, rules.shares)

    def ranking(self, sheets: tuple[Sheet, ...] = ()) -> Ranking:
        """Rank the lot by what was found and scored."""
        return rank(self.measured, self.rules, examined=self.examined, sheets=sheets)


def _by(rules: RankingRules, method: Method) -> RankingRules:
    fields = {name: getattr(rules, name) for name in RankingRules.__slots__}
    return RankingRules(**{**fields, "method": method})


def load_lot(conn: Connection, row: ProcedureRow, lot: LotRow, at: int) -> LotState:
    """Return where one lot stands; its opening is complete."""
    place = Place(procedure=row.reference, procedure_id=row.id, lot=lot.number, stage=lot.stage)
    opened, prices = _opened(conn, place)
    masks, hidden = drawn_masks(conn, row, lot)
    return LotState(
        row=row,
        lot=lot,
        place=place,
        rules=ranking_rules(conn, row, lot, at),
        opened=tuple(opened),
        prices=prices,
        findings=tuple(queries.findings_of(conn, place)),
        explanations=queries.explanations_of(conn, place),
        masked=is_masked(row, lot),
        masks=masks,
        hidden=hidden,
    )


def is_masked(row: ProcedureRow, lot: LotRow) -> bool:
    """Whether the documents want masked bidders where members score (暗标)."""
    declared = procedures.declared_lot(row, lot.number)
    return declared.masked and declared.method.scored


def masks_of(conn: Connection, row: ProcedureRow, lot: LotRow) -> Masks | None:
    """Return the letters of a lot from the beginning of the sitting until they are disclosed."""
    masks, hidden = drawn_masks(conn, row, lot)
    return masks if hidden else None


def drawn_masks(conn: Connection, row: ProcedureRow, lot: LotRow) -> tuple[Masks | None, bool]:
    """Return the letters of a lot, None before its sitting and where nobody is masked, and whether they hide names."""
    place = Place(procedure=row.reference, procedure_id=row.id, lot=lot.number, stage=lot.stage)
    kept = store.masking_of(conn, place) if is_masked(row, lot) else None
    return (None, False) if kept is None else (_masks(place, kept), kept.revealed is None)


def _masks(place: Place, kept: store.MaskingRow) -> Masks:
    """Return what the record discloses, once it does; before that what follows from the seed."""
    told = draw(kept.seed, place, kept.bids) if kept.revealed is None else kept.revealed
    return Masks(lot=place.lot, by_bid=told)


def load_opened(conn: Connection, row: ProcedureRow, number: str, stage: str, at: int) -> LotState:
    """Return where a lot stands that is opened and not ranked yet.

    Raises:
        NotFound: No such lot.
        RuleBroken: ``act.wrong_phase`` (B4.1).
    """
    lot = procedure_queries.find_lot(conn, row.id, number, stage)
    if lot.phase != _OPENED:
        raise RuleBroken("act.wrong_phase", "B4.1", act="evaluate", phase=lot.phase)
    return load_lot(conn, row, lot, at)


def load_lots(conn: Connection, row: ProcedureRow, at: int) -> list[LotState]:
    """Return the lots of a procedure that are opened and not ranked yet."""
    lots = procedure_queries.lots_of(conn, row.id)
    return [load_lot(conn, row, lot, at) for lot in lots if lot.phase == _OPENED]


def ranking_rules(conn: Connection, row: ProcedureRow, lot: LotRow, at: int) -> RankingRules:
    """Return how the lot is ranked, as its specification and edition fixed it before the first bid."""
    declared = procedures.declared_lot(row, lot.number)
    return RankingRules(
        lot=lot.number,
        stage=lot.stage,
        currency=lot.currency,
        method=declared.method,
        tie_rule=declared.tie_rule,
        ceiling=lot.ceiling,
        regime=Regime(row.regime),
        edition=procedures.edition_of(conn, row, at),
        criteria=declared.criteria or (),
        preference=declared.preference,
        terms=declared.formula,
        shares=declared.abnormal,
    )


def opened_bids(conn: Connection, place: Place) -> list[OpenedBid]:
    """Return the bids with verdict OK, with the price that was read out and the identity that opens it (OPN-16)."""
    return _opened(conn, place)[0]


def _opened(conn: Connection, place: Place) -> tuple[list[OpenedBid], dict[str, dict[str, Any]]]:
    found, prices = [], {}
    identities = _price_identities(conn, place)
    for result in openings.results(conn, place).values():
        if result.verdict != "OK" or result.price is None:
            continue
        prices[result.bid] = price = loads_object(result.price)
        identity = identities.get(result.bid)
        if identity is None:
            raise IntegrityFailure(f"the transcript has no price identity of {result.bid}")
        quote = {"currency": price["currency"], "price": price["total"]}
        found.append(OpenedBid(bid=result.bid, bidder=result.bidder, identity_price=identity, **quote))
    return found, prices


def _price_identities(conn: Connection, place: Place) -> dict[str, str]:
    for record in openings.entries(conn, place, ("opening.completed",)):
        body = record["body"]
        if (body["lot"], body["stage"]) != (place.lot, place.stage):
            continue
        for digest in body["transcript_sha256s"]:
            stored = documents.get(conn, bytes.fromhex(digest))
            if stored is not None:
                items = parse_transcript(stored.doc).items
                return {item.bid: item.identity_price for item in items if item.identity_price is not None}
    raise IntegrityFailure("an opened lot without a transcript")


def open_sheets(conn: Connection, place: Place) -> tuple[Sheet, ...]:
    """Return the sheets that count, once they are open; before that none."""
    counting = queries.scoring_of(conn, place)
    found = [documents.get(conn, bytes.fromhex(digest)) for digest in counting or ()]
    if any(stored is None for stored in found):
        raise IntegrityFailure(f"a sheet of lot {place.lot} is missing")
    sheets = [sheet_of(SHEET.read(stored.doc)) for stored in found if stored is not None]
    kept = store.masking_of(conn, place) if sheets else None
    return tuple(sheets if kept is None else (_masks(place, kept).named(each) for each in sheets))
