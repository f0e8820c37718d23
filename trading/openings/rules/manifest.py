"""The manifest of a closed lot and what an order may and must contain (SB1 S8, S9.1, S9.3, S16).

An order may only ever add bids to the previous one; together with ``bids_root`` this means that nobody can leave out
or exchange a bid after the custodians have answered.
"""

from __future__ import annotations

from trading.bids.model import ManifestItem, bids_root
from trading.kernel.errors import RuleBroken
from trading.openings.rules.orders import ClosedLot, OmittedBid, OpenOrder, OrderedBid

#: The only fields in which an order for another station may differ from the one released (SB1 S16).
STATION_FIELDS = frozenset({"station_pk", "seq", "created", "checkpoint", "supersedes"})

#: The only stage that another one precedes, so that bids may have been rejected before its order (SB1 S9.10).
SECOND_STAGE = "price"


def manifest_root(order: OpenOrder) -> str:
    """Return the root over the leaves of ``omitted`` and of the bids that no objection added, in hex (S9.1)."""
    ordered = (_leaf(bid) for bid in order.bids if bid.objection_h is None)
    return bids_root((*ordered, *map(_leaf, order.omitted)))


def _leaf(bid: OrderedBid | OmittedBid) -> ManifestItem:
    return ManifestItem(bid=bid.bid, envelope_sha256=bid.envelope_sha256, h=bid.h, seq=bid.seq)


def check_order(order: OpenOrder, closed: ClosedLot) -> None:
    """Check an order against the close record of its lot and stage.

    Raises:
        RuleBroken: ``order.policy`` (it names another lot, policy or schedule), ``order.not_included`` (another close
            entry), ``order.root``, ``order.late_bid`` (a bid at or after the close entry), ``order.malformed`` (a bid
            twice or left out before a second stage, or ``seq`` and ``supersedes`` disagree).
    """
    if (order.tender, order.lot, order.stage) != (closed.tender, closed.lot, closed.stage):
        raise RuleBroken("order.policy", "SB1 S9.3", detail="another lot")
    if order.policy_sha256 != closed.policy_sha256 or order.schedule_sha256 != closed.schedule_sha256:
        raise RuleBroken("order.policy", "SB1 S9.3", detail="another policy or schedule")
    if (order.closed_h, order.closed_n, order.close) != (closed.h, closed.n, closed.close):
        raise RuleBroken("order.not_included", "SB1 S9.3", detail="another close entry")
    names = [*order.bid_ids, *(bid.bid for bid in order.omitted)]
    if len(set(names)) != len(names):
        raise RuleBroken("order.malformed", "SB1 S9.1", detail="a bid is both ordered and omitted")
    if order.omitted and order.stage != SECOND_STAGE:
        raise RuleBroken("order.malformed", "SB1 S9.1", detail="nothing can have been rejected before the second stage")
    if order.bids_root != closed.bids_root or manifest_root(order) != closed.bids_root:
        raise RuleBroken("order.root", "SB1 S9.3")
    if any(bid.n >= order.closed_n for bid in order.bids):
        raise RuleBroken("order.late_bid", "SB1 S9.3")
    if (order.seq == 1) != (order.supersedes is None):
        raise RuleBroken("order.malformed", "SB1 S9.1", detail="seq and supersedes disagree")


def same_but_station(one: OpenOrder, other: OpenOrder) -> bool:
    """Return whether two orders differ at most in the station fields (S16)."""
    return (
        (one.tender, one.lot, one.stage) == (other.tender, other.lot, other.stage)
        and (one.policy_sha256, one.schedule_sha256, one.close)
        == (other.policy_sha256, other.schedule_sha256, other.close)
        and (one.closed_h, one.closed_n, one.bids_root) == (other.closed_h, other.closed_n, other.bids_root)
        and one.bids == other.bids
        and one.omitted == other.omitted
    )


def check_successor(previous: OpenOrder, order: OpenOrder) -> None:
    """Check a later order for the lot and stage against one that was answered: a superset with a larger ``seq`` (S9.3).

    The later one need not be the very next: an agent may have missed one between.

    Raises:
        RuleBroken: ``order.equivocation``.
    """
    same_lot = (previous.tender, previous.lot, previous.stage, previous.policy_sha256, previous.closed_h) == (
        order.tender,
        order.lot,
        order.stage,
        order.policy_sha256,
        order.closed_h,
    )
    if not same_lot or order.seq <= previous.seq:
        raise RuleBroken("order.equivocation", "SB1 S9.3", detail="not a later order of the same close entry")
    if not set(previous.bids) <= set(order.bids) or previous.omitted != order.omitted:
        raise RuleBroken("order.equivocation", "SB1 S9.2", detail="an order may only add bids")
    if order.seq == previous.seq + 1 and order.supersedes != previous.sha256:
        raise RuleBroken("order.equivocation", "SB1 S9.1", detail="it does not supersede the order before")
