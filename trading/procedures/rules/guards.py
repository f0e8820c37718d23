"""Named guards of the steps: each refuses with a code and its rule id, or says nothing.

A refusal carries what the text needs, above all the instant or number that would have been lawful. Legal numbers come
from the edition; the one number here is the protocol's (TE1 T2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from trading.kernel.calendar import earliest_deadline, is_days_before, latest_start, shifted_deadline
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Actor, Role
from trading.procedures.rules import abnormal_shares, formula_law
from trading.procedures.rules.criteria import require_lawful_deduction, require_lawful_tree
from trading.procedures.rules.failure import failure_after_opening, failure_at_close
from trading.procedures.rules.lifecycle import Facts
from trading.procedures.rules.policies import Category, Method
from trading.procedures.rules.silence import silence_ends
from trading.rulebook.keys import Key

EXTENSION_MARGIN_MS: Final = 1_800_000  # TE1 T2: a change takes effect 30 minutes or more after its record

T = TypeVar("T")


def _need(value: T | None, name: str) -> T:
    if value is None:
        raise ValueError(f"the act needs the fact {name}")
    return value


def require_second_person(facts: Facts, actor: Actor) -> None:
    """Refuse the drafter as reviewer, ``review.same_person`` (MB-01). A process of the platform drafts nothing."""
    if Role.SYSTEM in actor.roles or not facts.edition.flag(Key.SECOND_PERSON, facts.regime):
        return
    if _need(facts.drafted_by, "drafted_by") == actor.account:
        raise RuleBroken("review.same_person", "MB-01", account=actor.account)


def require_return_reason(facts: Facts, _actor: Actor) -> None:
    """Refuse a return without words, ``review.reason_missing`` (B4.11): the drafter must know what to change."""
    if not (facts.reason or "").strip():
        raise RuleBroken("review.reason_missing", "B4.11")


def require_cancellation_ground(facts: Facts, _actor: Actor) -> None:
    """Refuse a cancellation without a ground, ``cancel.reason_missing`` (EVL-08; it is published, NOT-10)."""
    if not (facts.reason or "").strip():
        raise RuleBroken("cancel.reason_missing", "EVL-08")


def require_lawful_deadline(facts: Facts, _actor: Actor) -> None:
    """Refuse a deadline sooner than the legal minimum after issue, ``deadline.too_early`` (DOC-04, DOC-22, TIM-06).

    The documents are issued at ``facts.at``, with the notice. A deadline equal to ``earliest`` is lawful.
    """
    close_at = _need(facts.close_at, "close_at")
    minimum = facts.edition.days(facts.periods.preparation, facts.regime)
    earliest = earliest_deadline(facts.at, minimum, facts.calendar)
    if close_at < earliest:
        rule = facts.periods.preparation_rule
        raise RuleBroken("deadline.too_early", rule, close=close_at, earliest=earliest, minimum_days=minimum.count)


def require_document_supply(facts: Facts, _actor: Actor) -> None:
    """Refuse a supply period shorter than the legal minimum, ``documents.supply_too_short`` (DOC-01, DOC-02, DOC-22).

    Documents are on the platform from the notice on, until ``supply_ends_at`` or else the deadline.
    """
    ends_at = facts.supply_ends_at if facts.supply_ends_at is not None else _need(facts.close_at, "close_at")
    minimum = facts.edition.days(facts.periods.supply, facts.regime)
    earliest = facts.calendar.end_of_period(facts.at, minimum)
    if ends_at < earliest:
        rule = facts.periods.supply_rule
        raise RuleBroken(
            "documents.supply_too_short", rule, ends_at=ends_at, earliest=earliest, minimum_days=minimum.count
        )


def require_questions_cutoff(facts: Facts, _actor: Actor) -> None:
    """Refuse a cut-off of questions after which the legal time to answer no longer fits before the deadline.

    ``questions.too_late`` with the ``latest`` lawful instant, ``questions.too_early`` for one that is not after the
    notice (OBJ-09, OBJ-02). None is lawful: questions are then taken until the deadline.
    """
    asked = facts.questions_until
    if asked is None:
        return
    close_at = _need(facts.close_at, "close_at")
    answer, rule = facts.edition.days(facts.periods.answer, facts.regime), facts.periods.answer_rule
    if asked <= facts.at:
        raise RuleBroken("questions.too_early", rule, questions_until=asked)
    if asked > close_at or facts.calendar.last_day(facts.calendar.date_of(asked), answer) > facts.calendar.date_of(
        close_at
    ):
        latest = latest_start(close_at, answer, facts.calendar)
        raise RuleBroken("questions.too_late", rule, questions_until=asked, latest=latest, answer_days=answer.count)


def require_known_calendar(facts: Facts, _actor: Actor) -> None:
    """Refuse a deadline in a year whose working days are not published, ``calendar.missing`` (TIM-07).

    The periods after the opening are counted from there, so nothing lawful could be said of them.
    """
    facts.calendar.is_workday(facts.calendar.date_of(_need(facts.close_at, "close_at")))


def require_ceiling(facts: Facts, _actor: Actor) -> None:
    """Refuse a lot without a ceiling where bids above it are invalid, ``ceiling.missing`` (DOC-09).

    Where the documents set none, the budget is the ceiling: the drafter enters the budget.
    """
    if facts.ceiling is None and facts.edition.flag(Key.EXCLUDE_ABOVE_CEILING, facts.regime):
        raise RuleBroken("ceiling.missing", "DOC-09")


def require_lawful_criteria(facts: Facts, _actor: Actor) -> None:
    """Refuse a lot whose criteria do not fit its method or the law, ``criteria.…`` (rule of the method, DOC-15)."""
    terms = _need(facts.terms, "terms")
    if terms.method.scored:
        if terms.criteria is None:
            raise RuleBroken("criteria.missing", terms.method.rule)
        require_lawful_tree(terms.criteria, terms.category, facts.edition, facts.regime, terms.method)
    elif terms.criteria is not None:
        raise RuleBroken("criteria.unexpected", terms.method.rule)


def method_of_kind(
    methods: tuple[Method, ...], categories: tuple[Category, ...], rule: str
) -> Callable[[Facts, Actor], None]:
    """Return the guard that refuses a method, or a category, that the kind of procedure has not.

    It raises ``method.not_of_kind`` or ``category.not_of_kind`` with ``rule``, that of the kind.
    """

    def require_method_of_kind(facts: Facts, _actor: Actor) -> None:
        terms = _need(facts.terms, "terms")
        if terms.method not in methods:
            raise RuleBroken("method.not_of_kind", rule, method=terms.method.value)
        if terms.category not in categories:
            raise RuleBroken("category.not_of_kind", rule, category=terms.category.value)

    return require_method_of_kind


def require_lawful_formula(facts: Facts, _actor: Actor) -> None:
    """Refuse parameters of a formula that are missing, not of the method, or out of bounds, ``formula.…``."""
    terms = _need(facts.terms, "terms")
    formula_law.require_lawful_formula(
        terms.method, terms.formula, terms.criteria or (), facts.ceiling, facts.edition, facts.regime
    )


def require_lawful_shares(facts: Facts, _actor: Actor) -> None:
    """Refuse shares of the price check that the documents may not choose, ``abnormal.…`` (B10.3)."""
    shares = _need(facts.terms, "terms").abnormal
    if shares is not None:
        abnormal_shares.require_lawful_shares(shares, facts.edition, facts.regime)


def require_lawful_preference(facts: Facts, _actor: Actor) -> None:
    """Refuse deductions outside the lawful range, ``preference.…`` (PRF-01 to PRF-04, PRF-06)."""
    terms = _need(facts.terms, "terms")
    if terms.preference is not None:
        require_lawful_deduction(terms.preference, facts.edition, facts.regime, terms.category)


def require_opening_policy(facts: Facts, _actor: Actor) -> None:
    """Refuse publication before it is fixed who keeps the opening keys, ``policy.missing`` (SUB-07; SB1 S3.3)."""
    if not _need(facts.policy_fixed, "policy_fixed"):
        raise RuleBroken("policy.missing", "SUB-07")


def require_extension_later(facts: Facts, _actor: Actor) -> None:
    """Refuse an extension to an instant that is not later, ``extension.not_later`` (MB-02; TE1 T2)."""
    close_at, new_close_at = _need(facts.close_at, "close_at"), _need(facts.new_close_at, "new_close_at")
    if new_close_at <= close_at:
        raise RuleBroken("extension.not_later", "MB-02", close=close_at, new_close=new_close_at)


def require_deadline_kept(facts: Facts, _actor: Actor) -> None:
    """Refuse an amendment that brings the deadline forward, ``amendment.earlier`` (MB-02; TE1 T2)."""
    close_at, new_close_at = _need(facts.close_at, "close_at"), _need(facts.new_close_at, "new_close_at")
    if new_close_at < close_at:
        raise RuleBroken("amendment.earlier", "MB-02", close=close_at, new_close=new_close_at)


def require_extension_margin(facts: Facts, _actor: Actor) -> None:
    """Refuse a deadline less than 30 minutes after its publication, ``extension.too_soon`` (MB-02; TE1 T2)."""
    new_close_at = _need(facts.new_close_at, "new_close_at")
    earliest = facts.at + EXTENSION_MARGIN_MS
    if new_close_at < earliest:
        raise RuleBroken("extension.too_soon", "MB-02", earliest=earliest, new_close=new_close_at)


def require_clarification_lead(facts: Facts, actor: Actor) -> None:
    """Refuse a change that may affect bids too close to the deadline, ``clarification.too_late`` (NOT-05, TIM-05).

    ``earliest`` is the deadline that would be lawful. What a process of the platform changes is only the schedule, as
    derived from recorded evidence (TE1 T6), and never the documents.
    """
    if Role.SYSTEM in actor.roles or not _need(facts.affects_bids, "affects_bids"):
        return
    new_close_at = _need(facts.new_close_at, "new_close_at")
    lead = facts.edition.days(facts.periods.lead, facts.regime)
    if not is_days_before(facts.at, new_close_at, lead, facts.calendar):
        earliest = shifted_deadline(facts.at, new_close_at, lead, facts.calendar)
        raise RuleBroken(
            "clarification.too_late", "NOT-05", new_close=new_close_at, earliest=earliest, lead_days=lead.count
        )


def require_deadline_passed(facts: Facts, _actor: Actor) -> None:
    """Refuse to close before the deadline, ``close.too_early`` (OPN-01). The drain of TE1 T5 comes on top."""
    close_at = _need(facts.close_at, "close_at")
    if facts.at < close_at:
        raise RuleBroken("close.too_early", "OPN-01", at=facts.at, close=close_at)


def require_opening_allowed(facts: Facts, _actor: Actor) -> None:
    """Refuse to open fewer bids than the minimum, ``opening.too_few_bids`` (OPN-02)."""
    bids = _need(facts.bids, "bids")
    failure = failure_at_close(facts.edition, facts.regime, bids)
    if failure is not None:
        minimum = facts.edition.count(Key.BIDDERS_MIN, facts.regime)
        raise RuleBroken("opening.too_few_bids", failure.rule, bids=bids, minimum=minimum)


def require_too_few_bids(facts: Facts, _actor: Actor) -> None:
    """Refuse to fail a closed lot that has enough bids, ``lot.enough_bids`` (OPN-02)."""
    bids = _need(facts.bids, "bids")
    if failure_at_close(facts.edition, facts.regime, bids) is None:
        raise RuleBroken("lot.enough_bids", "OPN-02", bids=bids)


def require_all_decided(facts: Facts, _actor: Actor) -> None:
    """Refuse to end an opening while a bid has no verdict, ``opening.incomplete`` (OPN-04)."""
    undecided = _need(facts.undecided_bids, "undecided_bids")
    if undecided:
        raise RuleBroken("opening.incomplete", "OPN-04", bids=undecided)


def require_enough_valid(facts: Facts, _actor: Actor) -> None:
    """Refuse to evaluate too few bids, ``evaluation.too_few_bids`` (OPN-15 as opened, EVL-05 as examined)."""
    effective = _need(facts.effective_bids, "effective_bids")
    conforming = _need(facts.conforming_bids, "conforming_bids")
    failure = failure_after_opening(facts.edition, facts.regime, effective=effective, conforming=conforming)
    if failure is not None:
        raise RuleBroken("evaluation.too_few_bids", failure.rule, effective=effective, conforming=conforming)


def require_committee_report(facts: Facts, _actor: Actor) -> None:
    """Refuse a ranking before every member of a lawful committee signed its report, ``evaluation.report_unsigned``.

    The law knows no evaluation without a committee (EXP-03); only editions that are no law do without it (EXP-20).
    """
    key = Key.COMMITTEE_REQUIRED
    required = facts.edition.has(key, facts.regime) and facts.edition.flag(key, facts.regime)
    if required and not _need(facts.report_signed, "report_signed"):
        raise RuleBroken("evaluation.report_unsigned", "EXP-20")


def require_too_few_valid(facts: Facts, _actor: Actor) -> None:
    """Refuse to fail an opened lot that has enough valid bids, ``lot.enough_bids`` (EVL-05)."""
    effective = _need(facts.effective_bids, "effective_bids")
    conforming = _need(facts.conforming_bids, "conforming_bids")
    if failure_after_opening(facts.edition, facts.regime, effective=effective, conforming=conforming) is None:
        raise RuleBroken("lot.enough_bids", "EVL-05", bids=conforming)


def require_ranking_order(facts: Facts, _actor: Actor) -> None:
    """Refuse an award to any bid but the first of the ranking, ``award.not_first`` (AWD-09)."""
    first, chosen = _need(facts.first_ranked, "first_ranked"), _need(facts.chosen, "chosen")
    if chosen != first:
        raise RuleBroken("award.not_first", "AWD-09", chosen=chosen, first=first)


def require_silence(facts: Facts, actor: Actor) -> None:
    """Refuse an award by the platform while the buyer may still decide, ``award.buyer_decides`` (AWD-09)."""
    if Role.SYSTEM not in actor.roles:
        return
    ends_at = silence_ends(_need(facts.ranked_at, "ranked_at"), facts.edition, facts.regime, facts.calendar)
    if ends_at is None or facts.at < ends_at:
        raise RuleBroken("award.buyer_decides", "AWD-09", ends_at=ends_at)


def require_candidates_shown(facts: Facts, _actor: Actor) -> None:
    """Refuse an award before the candidates were on display for the legal time, ``award.candidates_on_display``.

    The ranking is public from its record on, so the display begins with it (AWD-03, counted by TIM-01).
    """
    display = facts.edition.days(Key.CANDIDATES_DISPLAY_TL, facts.regime)
    ends_at = facts.calendar.end_of_period(_need(facts.ranked_at, "ranked_at"), display)
    if facts.at < ends_at:
        raise RuleBroken("award.candidates_on_display", "AWD-03", ends_at=ends_at, display_days=display.count)


def require_contract_of_award(facts: Facts, _actor: Actor) -> None:
    """Refuse a contract with another supplier or at another price, ``contract.other_than_award`` (CON-01)."""
    awarded, contracted = _need(facts.awarded, "awarded"), _need(facts.contracted, "contracted")
    if contracted != awarded:
        raise RuleBroken(
            "contract.other_than_award",
            "CON-01",
            supplier=contracted[0],
            price=contracted[1],
            awarded_supplier=awarded[0],
            awarded_price=awarded[1],
        )


def require_contract_in_time(facts: Facts, _actor: Actor) -> None:
    """Refuse a contract after the legal time from the award letter, ``contract.too_late`` (CON-01, counted by TIM-01).

    The letter goes out with the result notice (AWD-11); an act before ``ends_at`` is in time.
    """
    within = facts.edition.days(Key.CONTRACT_SIGN_WITHIN, facts.regime)
    ends_at = facts.calendar.end_of_period(_need(facts.concluded_at, "concluded_at"), within)
    if facts.at >= ends_at:
        raise RuleBroken("contract.too_late", "CON-01", ends_at=ends_at, within_days=within.count)
