"""Named guards of the steps: each refuses with a code and its rule id, or says nothing.

A refusal carries what the text needs, above all the instant or number that would have been lawful. Legal numbers come
from the edition; the one number here is the protocol's (TE1 T2).
"""

from __future__ import annotations

from typing import Final, TypeVar

from trading.kernel.calendar import earliest_deadline, is_days_before, shifted_deadline
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Actor, Role
from trading.procedures.rules.failure import failure_after_opening, failure_at_close
from trading.procedures.rules.lifecycle import Facts
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
    """Refuse a deadline sooner than the legal minimum after issue, ``deadline.too_early`` (DOC-04, TIM-06).

    The documents are issued at ``facts.at``, with the notice. A deadline equal to ``earliest`` is lawful.
    """
    close_at = _need(facts.close_at, "close_at")
    minimum = facts.edition.days(Key.BID_PREPARATION_MIN, facts.regime)
    earliest = earliest_deadline(facts.at, minimum, facts.calendar)
    if close_at < earliest:
        raise RuleBroken("deadline.too_early", "DOC-04", close=close_at, earliest=earliest, minimum_days=minimum.count)


def require_document_supply(facts: Facts, _actor: Actor) -> None:
    """Refuse a supply period shorter than the legal minimum, ``documents.supply_too_short`` (DOC-02).

    Documents are on the platform from the notice on, until ``supply_ends_at`` or else the deadline.
    """
    ends_at = facts.supply_ends_at if facts.supply_ends_at is not None else _need(facts.close_at, "close_at")
    minimum = facts.edition.days(Key.DOCUMENTS_SUPPLY_MIN, facts.regime)
    earliest = facts.calendar.end_of_period(facts.at, minimum)
    if ends_at < earliest:
        raise RuleBroken(
            "documents.supply_too_short", "DOC-02", ends_at=ends_at, earliest=earliest, minimum_days=minimum.count
        )


def require_ceiling(facts: Facts, _actor: Actor) -> None:
    """Refuse a lot without a ceiling where bids above it are invalid, ``ceiling.missing`` (DOC-09).

    Where the documents set none, the budget is the ceiling: the drafter enters the budget.
    """
    if facts.ceiling is None and facts.edition.flag(Key.EXCLUDE_ABOVE_CEILING, facts.regime):
        raise RuleBroken("ceiling.missing", "DOC-09")


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
    lead = facts.edition.calendar_days(Key.CLARIFICATION_LEAD, facts.regime)
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
