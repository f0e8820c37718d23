"""SB-21: what the supervisor's intake listed was received or refused before the close, and nothing else is its (S7.6).

Refusals name bidders: tier ``audit`` alone has them. Below it an envelope that nobody received is only told.
"""

from __future__ import annotations

from verifier.checks_clocks import is_confirmed
from verifier.evidence import Document, Logged
from verifier.intake import RECEIPT_FIELD, IntakeFault, intake_policy, read_receipt
from verifier.lot import Lot
from verifier.report import Check


def check_intake(lot: Lot, check: Check) -> None:
    """SB-21: list before the close, signed, of this lot; each envelope on it entered; receipts of those it brought."""
    closed, schedule = lot.closed, lot.schedule
    received = lot.all("bid.received")
    for logged in received:
        _check_receipt(lot, check, logged)
    if closed is None or schedule is None:
        return
    named = closed.body.get("intake_list_sha256")
    if schedule["intake"] is None:
        if named is not None:
            check.fail(closed.place, "names a list, but the schedule names no intake")
        return
    _check_key(lot, check)
    if named is None:
        if is_confirmed(lot.evidence, closed, "intake"):
            check.note(closed.place, "closed without the intake's list; agency and supervisor confirmed it (TE1 T5)")
        else:
            check.require(closed.place, "closed without the list of the intake that the schedule names", holds=False)
        return
    listed = lot.evidence.document(named, "sb1.intake-list")
    if listed is not None:  # that it is missing is told by AL-08
        _check_list(lot, check, closed, listed)


def _check_key(lot: Lot, check: Check) -> None:
    try:
        intake_policy(lot)
        check.passed()
    except IntakeFault as error:
        check.fail(lot.schedules[-1][1].place, str(error))


def _check_receipt(lot: Lot, check: Check, logged: Logged) -> None:
    """Require a receipt exactly of what came through the intake, and that it says the same as the record."""
    if logged.body["via"] != "intake":
        if RECEIPT_FIELD in logged.body:
            check.fail(logged.place, "names an intake receipt, but did not come through the intake")
        return
    if lot.veiled and lot.evidence.documents.get(logged.body.get(RECEIPT_FIELD, "")) is None:
        return  # not published yet, which AL-08 notes
    try:
        read_receipt(lot, logged)
        check.passed()
    except IntakeFault as error:
        check.fail(logged.place, str(error))


def _check_list(lot: Lot, check: Check, closed: Logged, listed: Document) -> None:
    value, place = listed.value, listed.place
    check.require(place, "not signed by the supervisor", holds=listed.signed_by("supervisor") is not None)
    here = all(value[name] == closed.body[name] for name in ("lot", "policy_sha256", "stage"))
    check.require(place, "is of another lot, stage or policy", holds=here)
    check.require(place, "was made before the deadline", holds=value["created"] >= closed.body["close"])
    for sha256 in value["envelopes"]:
        _check_entered(lot, check, closed, sha256)
    for logged in lot.all("bid.received"):
        if logged.body["via"] == "intake":
            holds = logged.body["envelope_sha256"] in value["envelopes"]
            check.require(logged.place, "came through the intake, which did not list it", holds=holds)


def _check_entered(lot: Lot, check: Check, closed: Logged, sha256: str) -> None:
    """Require that a listed envelope was received or, for a reason that holds, refused before the close entry."""
    entered, refused = (
        [logged for logged in lot.all(kind) if logged.body["envelope_sha256"] == sha256 and logged.n < closed.n]
        for kind in ("bid.received", "bid.refused")
    )
    if not entered and not refused and not lot.evidence.holds("audit"):
        check.note(
            closed.place, f"envelope {sha256[:16]}… of the intake's list: tier audit alone shows what became of it"
        )
        return
    text = f"envelope {sha256[:16]}… of the intake's list was left out"
    if not check.require(closed.place, text, holds=bool(entered or refused)) or entered:
        return
    text = f"envelope {sha256[:16]}… of the intake's list was refused for a reason that the records do not show"
    check.require(refused[-1].place, text, holds=_is_due(lot, refused[-1], closed))


def _is_due(lot: Lot, refused: Logged, closed: Logged) -> bool:
    """Return whether a refusal is what the records ask for, as far as they tell."""
    code, body = refused.body["code"], refused.body
    if code == "bid.late":
        return bool(body["received_at"] >= closed.body["close"])
    if code != "bid.version_conflict":
        return True
    document = lot.envelope(body["envelope_sha256"])
    if document is None:
        return False
    before = [each for each in lot.versions().get(document.value["bid"], []) if each.logged.n < refused.n]
    standing = (before[-1].seq, before[-1].sha256) if before else (0, None)
    return (document.value["seq"] - 1, document.value["supersedes"]) != standing
