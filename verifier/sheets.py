"""Which sheets were signed, shown to be there and handed in, recomputed for RK-01: EXP-17, EXP-18, EXP-22."""

from __future__ import annotations

from verifier.evidence import Logged
from verifier.hashing import LABEL_SHEET_CHALLENGE, LABEL_SHEET_ECHO, tuple_hash
from verifier.lot import Lot
from verifier.report import Check

SHEET = "mb.score-sheet"


def signed_before(lot: Lot, before: int) -> dict[str, Logged]:
    """Return what each seat has signed before a position, without what was made void (EXP-17, EXP-22)."""
    void = {(each.body["seat"], each.body["version"]) for each in lot.all("sheet.voided") if each.n < before}
    for each in lot.all("sheets.outdated"):
        void |= {(line["seat"], line["version"]) for line in each.body["sheets"] if each.n < before}
    again = max((each.n for each in _of_committee(lot, before) if each.kind == "evaluation.resumed"), default=-1)
    signed = [each for each in lot.all("sheet.signed") if again < each.n < before]
    return {each.body["seat"]: each for each in signed if (each.body["seat"], each.body["version"]) not in void}


def check_handed_in(lot: Lot, check: Check, opened: Logged) -> None:
    """Every sheet came when all who sat had signed and shown theirs to be there, and is the one that was signed."""
    handed_in = [each for each in lot.all("sheet.handed_in") if each.n < opened.n]
    for each in handed_in:
        signed, seats = signed_before(lot, each.n), seats_of(lot, each.n)
        early = seats - set(signed)
        check.require(each.place, "a sheet was handed in before every member had signed", holds=not early)
        own = signed.get(each.body["seat"])
        same = own is not None and own.body["sheet_commit"] == each.body["sheet_commit"]
        check.require(each.place, "another sheet was handed in than the member signed", holds=same)
        if not early and not _is_open(lot, each.n):
            _check_held(lot, check, each, {seat: signed[seat] for seat in seats})
    came = {each.body["sheet_commit"] for each in handed_in}
    check.require(opened.place, "opens a sheet that was never handed in", holds=came.issuperset(opened.body["sheets"]))


def _check_held(lot: Lot, check: Check, handed_in: Logged, signed: dict[str, Logged]) -> None:
    """All sheets that count were shown or in before; signatures of older logs, without ``bids``, were never asked."""
    in_before = {each.body["sheet_commit"] for each in lot.all("sheet.handed_in") if each.n < handed_in.n}
    echoes = _echoes(lot, handed_in.n)
    for seat, each in signed.items():
        shown = (seat, each.body["version"]) in echoes or each.body["sheet_commit"] in in_before
        text = "a sheet was handed in before every member had shown the signed one"
        check.require(handed_in.place, text, holds=shown or "bids" not in each.body)
    own = echoes.get((handed_in.body["seat"], handed_in.body["version"]))
    sheet = lot.evidence.document(handed_in.body["sheet_commit"], SHEET)
    if own is not None and sheet is not None:
        commits = sorted(bytes.fromhex(each.body["sheet_commit"]) for each in signed.values())
        asked = tuple_hash(LABEL_SHEET_CHALLENGE, *commits)
        right = tuple_hash(LABEL_SHEET_ECHO, asked, sheet.data).hex() == own
        check.require(handed_in.place, "another sheet was shown than the one that was handed in", holds=right)


def _echoes(lot: Lot, before: int) -> dict[tuple[str, int], str]:
    """Return the echoes that count before a position: since committee or signatures changed last."""
    changes = [*lot.all("sheet.voided"), *lot.all("sheets.outdated"), *_of_committee(lot, before)]
    since = max((each.n for each in changes if each.n < before), default=-1)
    held = [each.body for each in lot.all("sheet.held") if since < each.n < before]
    return {(body["seat"], body["version"]): body["echo"] for body in held}


def check_voided(lot: Lot, check: Check, opened: Logged) -> None:
    """Nobody scores again who has shown a sheet while others were handed in already (EXP-22)."""
    for each in lot.all("sheet.voided"):
        if each.n > opened.n:
            continue
        signed = signed_before(lot, each.n)
        others = {line.body["sheet_commit"] for seat, line in signed.items() if seat != each.body["seat"]}
        is_out = any(line.body["sheet_commit"] in others for line in lot.all("sheet.handed_in") if line.n < each.n)
        shown = (each.body["seat"], each.body["version"]) in _echoes(lot, each.n)
        text = "a signature was made void after sheets of others were handed in"
        check.require(each.place, text, holds=not (is_out and shown))


def _is_open(lot: Lot, n: int) -> bool:
    """Whether scores were open at a position: then a correction of the re-check hides nothing."""
    opened = max((each.n for each in lot.all("scores.opened") if each.n < n), default=-1)
    return opened > max((each.n for each in _of_committee(lot, n)), default=-1)


def seats_of(lot: Lot, before: int) -> set[str]:
    """Return the seats of the committee before a position: those that began, replaced ones exchanged (EXP-17, 18)."""
    seats: set[str] = set()
    for logged in _of_committee(lot, before):
        body = logged.body
        seats = set(body["seats"]) if "seats" in body else (seats - {body["seat"]}) | {body["by"]}
    return seats


def _of_committee(lot: Lot, before: int) -> list[Logged]:
    """Return what changed the committee before a position, in the order of the log."""
    kinds = ("evaluation.started", "member.replaced", "evaluation.resumed")
    found = [each for kind in kinds for each in lot.evidence.of_kind(kind)]
    return sorted((each for each in found if each.procedure == lot.procedure and each.n < before), key=lambda it: it.n)
