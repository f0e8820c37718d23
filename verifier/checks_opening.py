"""Checks of the ceremony: order, share checks, factors, releases, combination: SB-09 to SB-13, SB-19 (SB1 S17)."""

from __future__ import annotations

from verifier.checks_bids import manifest_leaf
from verifier.evidence import Document, Logged
from verifier.lot import Lot, Pair
from verifier.merkle import root_of
from verifier.policy import SignedCheckpoint
from verifier.report import Check

STATION_FIELDS = ("checkpoint", "created", "seq", "station_pk", "supersedes")


def check_orders(lot: Lot, check: Check) -> None:
    """SB-09: signatures, manifest, objections, growth, and a checkpoint whose quorum signed after the close."""
    closed = lot.closed
    if lot.missing("open.ordered") and closed is not None:
        check.fail(lot.place, "no open.ordered record, though later steps are recorded")
    before: Document | None = None
    for logged, order in lot.orders:
        for role in ("agency", "supervisor"):
            check.require(order.place, f"not signed by the {role}", holds=order.signed_by(role) is not None)
        if closed is not None:
            _check_order_against_close(lot, check, logged, order, closed)
        _check_order_checkpoint(lot, check, order)
        _check_objections(lot, check, order)
        _check_growth(check, order, before)
        before = order


def _check_order_against_close(lot: Lot, check: Check, logged: Logged, order: Document, closed: Logged) -> None:
    value = order.value
    check.require(logged.place, "ordered before the close", holds=logged.n > closed.n)
    same = all(value[name] == closed.body[name] for name in ("bids_root", "close", "policy_sha256", "schedule_sha256"))
    own = (value["tender"], value["lot"], value["stage"]) == (lot.procedure, lot.lot, lot.stage)
    check.require(order.place, "differs from the close entry", holds=same and own)
    entry = (value["closed_n"], value["closed_h"]) == (closed.n, closed.h)
    check.require(order.place, "closed_n or closed_h are not those of the close entry", holds=entry)
    early = all(row["n"] < closed.n for row in value["bids"])
    check.require(order.place, "a bid received after the close entry", holds=early)
    rows = [row for row in value["bids"] if row["objection_h"] is None] + value["omitted"]
    leaves = [manifest_leaf(row) for row in sorted(rows, key=lambda row: str(row["bid"]).encode())]
    root = root_of(leaves).hex()
    check.require(
        order.place, "its bids do not give the bids_root of the close entry", holds=root == value["bids_root"]
    )
    if value["omitted"]:
        check.require(order.place, "it leaves bids out before a second stage", holds=lot.stage == "price")
        check.gap(order.place, "rejections of a first stage are not part of this verifier yet")


def _check_order_checkpoint(lot: Lot, check: Check, order: Document) -> None:
    # The note as signed counts, not a better one of the same size: the custodians saw only this one.
    value = order.value
    note = lot.evidence.noted.get(order.place)
    holds = note is not None and note.checkpoint.size > value["closed_n"] and signed_after(note, value["close"])
    check.require(order.place, "its checkpoint has no quorum that signed the close entry after the close", holds=holds)


def signed_after(note: SignedCheckpoint, close: int) -> bool:
    """Return whether a witness quorum, all of whose times are at or after ``close`` (ms), signed the note."""
    return note.t_low is not None and 1000 * note.t_low >= close


def _check_objections(lot: Lot, check: Check, order: Document) -> None:
    decided = lot.pairs("objection.decided", "decision_sha256", "sb1.objection-decision")
    for row in order.value["bids"]:
        if row["objection_h"] is None:
            continue
        holds = any(
            logged.h == row["objection_h"]
            and decision.value["decision"] == "add"
            and decision.value["envelope_sha256"] == row["envelope_sha256"]
            for logged, decision in decided
        )
        check.require(order.place, f"bid {row['bid']} was added without a decided objection", holds=holds)
    raised = {logged.h for logged in lot.all("objection.raised")}
    for logged, decision in decided:
        signed = decision.signed_by("supervisor") is not None
        check.require(decision.place, "not signed by the supervisor", holds=signed)
        # A rejected objection is about a bid that no order lists; a public bundle shows nothing of such a bid (S11).
        hidden = decision.value["decision"] == "reject" and lot.evidence.header["kind"] == "public"
        known = decision.value["objection_h"] in raised
        check.require(logged.place, "decides no recorded objection", holds=known or hidden)


def _check_growth(check: Check, order: Document, before: Document | None) -> None:
    value = order.value
    named = before.sha256 if before is not None else None
    seq = before.value["seq"] + 1 if before is not None else 1
    chain = (value["seq"], value["supersedes"]) == (seq, named)
    check.require(order.place, "is not the next order of the chain", holds=chain)
    if before is not None:
        kept = all(row in value["bids"] for row in before.value["bids"])
        check.require(order.place, "drops or changes a bid of the order before", holds=kept)
        fixed = [name for name in value if name not in (*STATION_FIELDS, "bids")]
        same = all(value[name] == before.value[name] for name in fixed)
        check.require(order.place, "changes more than its station and added bids", holds=same)


def institution_of(lot: Lot, index: int) -> str | None:
    """Return the institution key that the policy names for a custodian index."""
    policy = lot.policy
    rows = policy.value["custodians"] if policy is not None else []
    return next((row["kid"] for row in rows if row["i"] == index), None)


def _check_answers(lot: Lot, check: Check, answers: list[Pair], what: str) -> None:
    """Check what share checks and releases have in common: the signer, the order, one per custodian and order."""
    orders = {order.sha256 for _, order in lot.orders}
    seen: set[tuple[int, str]] = set()
    for logged, document in answers:
        value = document.value
        signer = document.signed_by("custodian")
        fits = signer is not None and signer.kid == institution_of(lot, value["custodian"])
        check.require(document.place, f"{what} not signed by custodian {value['custodian']}", holds=fits)
        check.require(logged.place, "names another custodian", holds=logged.body["custodian"] == value["custodian"])
        check.require(document.place, f"{what} for an unknown order", holds=value["order_sha256"] in orders)
        key = (value["custodian"], value["order_sha256"])
        text = f"second {what} of custodian {value['custodian']} for one order"
        check.require(document.place, text, holds=key not in seen)
        seen.add(key)


def share_checks_end(lot: Lot) -> int | None:
    """Return the index before which share checks count: ``factor.opened``, or the first release without factor."""
    end = lot.first("factor.opened") if lot.factor_mode else lot.first("share.released")
    return end.n if end is not None else None


def check_share_checks(lot: Lot, check: Check) -> None:
    """SB-10, first half: share checks before anyone's factor, complete and signed."""
    answers = lot.pairs("share.checked", "check_sha256", "sb1.share-check")
    _check_answers(lot, check, answers, "share check")
    end = share_checks_end(lot)
    for logged, document in answers:
        order = lot.evidence.document(document.value["order_sha256"], "sb1.open-order")
        if order is not None:
            named = [row["bid"] for row in document.value["items"]]
            holds = named == [row["bid"] for row in order.value["bids"]]
            check.require(document.place, "does not answer every bid of the order in its order", holds=holds)
        if end is not None and logged.n > end:
            check.note(logged.place, "share check came after its time and is not used")


def first_factor_list(lot: Lot) -> Logged | None:
    """Return the first ``factor.closed``; factors revealed after it do not count."""
    return lot.first("factor.closed")


def newest_factor_list(lot: Lot) -> Pair | None:
    """Return the newest factor list and its record."""
    found = lot.pairs("factor.closed", "factor_list_sha256", "sb1.factor-list")
    return found[-1] if found else None


def revealed_bids(lot: Lot) -> set[str]:
    """Return the bids with a ``factor.revealed`` before the first ``factor.closed`` (S10 row 4)."""
    first = first_factor_list(lot)
    return {logged.body["bid"] for logged in lot.all("factor.revealed") if first is None or logged.n < first.n}


def check_factors(lot: Lot, check: Check) -> None:
    """SB-11, without B_b: the window, and the newest list against the records."""
    if not lot.factor_mode:
        return
    for kind in ("factor.opened", "factor.closed"):
        if lot.missing(kind):
            check.fail(lot.place, f"no {kind} record, though later steps are recorded")
    opened, first = lot.first("factor.opened"), first_factor_list(lot)
    for logged in lot.all("factor.revealed"):
        check.require(logged.place, "revealed before the window", holds=opened is not None and opened.n < logged.n)
        if opened is not None and (first is None or logged.n < first.n):
            inside = logged.body["received_at"] < opened.body["ends_at"]
            check.require(logged.place, "received_at is not before the end of the window", holds=inside)
        envelope = lot.envelope(logged.body["envelope_sha256"])
        named = envelope is not None and envelope.value["bid"] == logged.body["bid"]
        check.require(logged.place, "names no envelope of this bid", holds=named)
    released = lot.first("share.released")
    for logged in lot.all("factor.closed")[1:]:
        holds = released is None or logged.n < released.n
        check.require(logged.place, "factor list corrected after a share was released", holds=holds)
    newest = newest_factor_list(lot)
    if newest is not None:
        _check_factor_list(lot, check, newest)


def _check_factor_list(lot: Lot, check: Check, newest: Pair) -> None:
    _, document = newest
    for role in ("agency", "supervisor"):
        check.require(document.place, f"not signed by the {role}", holds=document.signed_by(role) is not None)
    order = lot.evidence.document(document.value["order_sha256"], "sb1.open-order")
    rows = order.value["bids"] if order is not None else []
    named = [(row["bid"], row["envelope_sha256"]) for row in document.value["items"]]
    wanted = [(row["bid"], row["envelope_sha256"]) for row in rows]
    check.require(document.place, "is not the list of the bids of its order", holds=named == wanted)
    revealed = revealed_bids(lot)
    for row in document.value["items"]:
        bid, listed = row["bid"], row["result"] == "valid"
        if bid in revealed and not listed and final_verdict(lot, bid) == "PLATFORM_FACTOR_LOST":
            check.note(document.place, f"bid {bid}: the list lost its factor; the verdict says so")
            continue
        text = f"bid {bid}: the list says {row['result']}, the records say otherwise"
        check.require(document.place, text, holds=listed == (bid in revealed))


def final_verdict(lot: Lot, bid: str) -> str | None:
    """Return the last verdict that the log gives for a bid; ``OK`` if it was opened."""
    verdicts = [logged.body["verdict"] for logged in lot.all("bid.verdict") if logged.body["bid"] == bid]
    if verdicts:
        return str(verdicts[-1])
    return "OK" if any(logged.body["bid"] == bid for logged in lot.all("bid.opened")) else None


def used_releases(lot: Lot) -> list[Pair]:
    """Return the releases for the newest order that came before ``release.closed``, by custodian."""
    order, end = lot.order, lot.last("release.closed")
    found = [
        (logged, document)
        for logged, document in lot.pairs("share.released", "release_sha256", "sb1.release")
        if order is not None and document.value["order_sha256"] == order.sha256 and (end is None or logged.n < end.n)
    ]
    return sorted(found, key=lambda pair: int(pair[1].value["custodian"]))


def released_bids(lot: Lot) -> list[str] | None:
    """Return the bids that every release must name, in order: the valid ones, or all without factor."""
    order, newest = lot.order, newest_factor_list(lot)
    if order is None or (lot.factor_mode and newest is None):
        return None
    if not lot.factor_mode or newest is None:
        return [row["bid"] for row in order.value["bids"]]
    return [row["bid"] for row in newest[1].value["items"] if row["result"] == "valid"]


def check_releases(lot: Lot, check: Check) -> None:
    """SB-12: exactly the valid bids in one document, between the newest factor list and ``release.closed``."""
    if lot.missing("release.closed"):
        check.fail(lot.place, "no release.closed record, though later steps are recorded")
    answers = lot.pairs("share.released", "release_sha256", "sb1.release")
    _check_answers(lot, check, answers, "release")
    newest, end, wanted = newest_factor_list(lot), lot.last("release.closed"), released_bids(lot)
    for logged, document in answers:
        value = document.value
        if lot.factor_mode:
            after = newest is not None and newest[0].n < logged.n
            check.require(logged.place, "released before the newest factor list", holds=after)
            named = newest is not None and value["factor_list_sha256"] == newest[1].sha256
            check.require(document.place, "names another factor list", holds=named)
        else:
            check.require(document.place, "names a factor list", holds=value["factor_list_sha256"] is None)
        if wanted is not None:
            holds = [row["bid"] for row in value["items"]] == wanted
            check.require(document.place, "does not name exactly the valid bids, in order", holds=holds)
        if end is not None and logged.n > end.n:
            check.note(logged.place, "release came after release.closed and is not used")


def check_combination(lot: Lot, check: Check) -> None:
    """SB-13: everything was combined before anything was opened, and after the releases ended."""
    combined, end = lot.last("opening.combined"), lot.last("release.closed")
    if lot.missing("opening.combined") or (combined is None and lot.first("bid.opened") is not None):
        check.fail(lot.place, "no opening.combined record, though bids were opened")
    if combined is None:
        return
    check.require(combined.place, "combined before release.closed", holds=end is not None and end.n < combined.n)
    for logged in [*lot.all("bid.opened"), *lot.all("bid.verdict")]:
        check.require(logged.place, "opened before opening.combined", holds=combined.n < logged.n)
    order = lot.order
    if order is not None:
        named = [row["bid"] for row in combined.body["items"]]
        wanted = [row["bid"] for row in order.value["bids"]]
        check.require(combined.place, "does not name the bids of the order, in its order", holds=named == wanted)


def check_non_release(lot: Lot, check: Check) -> None:
    """SB-19: statements of enough custodians for every envelope that was not opened."""
    policy, order = lot.policy, lot.order
    statements = [
        document
        for document in lot.evidence.of_type("sb1.non-release")
        if policy is not None and document.value["policy_sha256"] == policy.sha256
    ]
    if policy is None or lot.closed is None or not statements:
        return
    ordered = {row["envelope_sha256"] for row in order.value["bids"]} if order is not None else set()
    needed = len(policy.value["custodians"]) - policy.value["k"] + 1
    for document in statements:
        signer = document.signed_by("custodian")
        fits = signer is not None and signer.kid == institution_of(lot, document.value["custodian"])
        check.require(document.place, "not signed by the custodian it names", holds=fits)
    for version in [version for versions in lot.versions().values() for version in versions]:
        if version.logged.kind == "bid.received" and version.sha256 not in ordered:
            count = len({row.value["custodian"] for row in statements if version.sha256 in row.value["envelopes"]})
            check.passed()
            if count < needed:
                check.gap(f"envelope {version.sha256[:16]}…", f"{count} of {needed} statements of non-release so far")
