"""RK-01 on a scored lot: the golden ranking is recomputed, and every lie about it is found."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.build.scores import CRITERIA, PREFERENCE
from tests.build.tenders import NATIONAL
from trading.evaluation.rules.documents import SHEET
from trading.evaluation.rules.holding import challenge_of, echo_of
from trading.evaluation.rules.masks import commitment, draw
from trading.kernel.canonical import loads_object
from trading.kernel.digests import sha256_hex
from trading.openings.model import Place
from verifier.checks_ranking import check_ranking
from verifier.evidence import Document, Evidence, Logged
from verifier.lot import Lot
from verifier.report import Check

VECTOR: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "ranking.json").read_text())["scoring"]
TENDER, LOT = "T-1", {"lot": "1", "stage": "all"}
REPORT = "4" * 64


@dataclass
class Story:
    """The records of one lot and its documents; ``tier`` is what the bundle claims."""

    records: list[dict[str, Any]] = field(default_factory=list)
    documents: dict[str, Document] = field(default_factory=dict)
    tier: str = "audit"

    def record(self, kind: str, **body: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a body
        self.records.append({"kind": kind, "body": body})
        return body

    def add(self, typ: str, data: bytes) -> str:
        digest = sha256_hex(data)
        self.documents[digest] = Document(digest, typ, data, loads_object(data), [])
        return digest

    def body(self, kind: str) -> dict[str, Any]:
        found: dict[str, Any] = next(each["body"] for each in self.records if each["kind"] == kind)
        return found

    def complaints(self) -> list[str]:
        logged = [
            Logged(
                n=n,
                t=0,
                record={**each, "procedure": TENDER, "at": 0, "subject": "lot:1"},
                h=f"{n:064x}",
                place=f"entry {n}",
            )
            for n, each in enumerate(self.records)
        ]
        evidence = SimpleNamespace(
            document=lambda sha256, _typ: self.documents.get(sha256) if sha256 else None,
            of_kind=lambda kind: [each for each in logged if each.kind == kind],
            of_type=lambda typ: [each for each in self.documents.values() if each.typ == typ],
            holds=lambda tier: (
                ("public", "bidders", "audit").index(self.tier) >= ("public", "bidders", "audit").index(tier)
            ),
        )
        lot, check = Lot(cast("Evidence", evidence), logged, "1", "all"), Check("RK-01", "ranking")
        check_ranking(lot, check)
        return [text for _, text in [*check.failures, *check.gaps]]


def story() -> Story:
    """The golden ranking as a committee of five would have recorded it."""
    told = Story()
    edition = told.add("mb.edition", NATIONAL.document())
    row = {
        **LOT,
        "ceiling": 100_000,
        "criteria": [each.to_json() for each in CRITERIA],
        "currency": "CNY",
        "method": "comprehensive_scoring",
        "preference": PREFERENCE.to_json(),
        "tie_rule": "price_identity_lottery",
    }
    notice = Document("1" * 64, "mb.notice", b"", {"tender": TENDER, "edition_sha256": edition, "lots": [row]}, [])
    told.documents[notice.sha256] = notice
    told.record("tender.published", notice_sha256=notice.sha256, **LOT)
    for bid in VECTOR["opened"]:
        told.record("bid.started", bid=bid["bid"], **LOT)
        told.record(
            "bid.opened", bid=bid["bid"], bidder=bid["bidder"], price={"currency": "CNY", "total": bid["price"]}
        )
    told.record("opening.completed", **LOT)
    seats = sorted(VECTOR["sheets"])
    told.record("evaluation.started", lots=[LOT], seats=seats)
    for finding in VECTOR["findings"]:
        told.record("bid.examined", **deepcopy(finding), **LOT)
    for seat, points in VECTOR["sheets"].items():
        scores = [
            {
                "bid": bid,
                "scores": [
                    {"comment": "as described", "criterion": name, "points": value}
                    for name, value in zip(("warranty", "plan"), cells, strict=True)
                ],
            }
            for bid, cells in sorted(points.items())
        ]
        body = {"items": scores, "reason": None, "salt": "0" * 64, "seat": seat, "tender": TENDER, "version": 1, **LOT}
        told.record(
            "sheet.signed",
            bids=sorted(points),
            seat=seat,
            version=1,
            sheet_commit=told.add("mb.score-sheet", SHEET.write(body)),
            **LOT,
        )
    signed = [dict(each["body"]) for each in told.records if each["kind"] == "sheet.signed"]
    commits = sorted(each["sheet_commit"] for each in signed)
    for each in signed:
        echo = echo_of(challenge_of(commits), told.documents[each["sheet_commit"]].data)
        told.record("sheet.held", seat=each["seat"], version=1, echo=echo, **LOT)
    for each in signed:
        told.record("sheet.handed_in", reason=None, **{name: each[name] for name in each if name != "bids"})
    told.record("scores.opened", sheets=commits, **LOT)
    for seat in seats:
        told.record("report.signed", seat=seat, report_sha256=REPORT)
    told.record("bids.ranked", **deepcopy(VECTOR["body"]), edition_sha256=edition)
    return told


SEED = bytes(range(32))


def masked_story() -> Story:
    """The golden ranking where the notice masks bidders: sheets name letters, which the record discloses."""
    told = story()
    place, bids = Place(procedure=TENDER, procedure_id=1, **LOT), sorted(bid["bid"] for bid in VECTOR["opened"])
    letters = draw(SEED, place, bids)
    notice = next(each for each in told.documents.values() if each.typ == "mb.notice")
    notice.value["lots"][0]["masked"] = True
    commits = {}
    for digest, each in list(told.documents.items()):
        if each.typ == "mb.score-sheet":
            del told.documents[digest]
            commits[digest] = _relabelled(told, each.value, letters)
    for entry in told.records:
        body = entry["body"]
        if "sheet_commit" in body:
            body["sheet_commit"] = commits[body["sheet_commit"]]
        if entry["kind"] == "scores.opened":
            body["sheets"] = sorted(commits[digest] for digest in body["sheets"])
    signed = {each["body"]["seat"]: each["body"]["sheet_commit"] for each in told.records if _is_signature(each)}
    for entry in told.records:
        if entry["kind"] == "sheet.held":
            sheet = told.documents[signed[entry["body"]["seat"]]].data
            entry["body"]["echo"] = echo_of(challenge_of(sorted(signed.values())), sheet)
    kinds = [each["kind"] for each in told.records]
    masks = [{"bid": bid, "mask": letters[bid]} for bid in bids]
    revealed = {"masks": masks, "named": [], "seed": SEED.hex(), **LOT}
    told.records.insert(kinds.index("scores.opened") + 1, {"kind": "masks.revealed", "body": revealed})
    committed = {"bids": bids, "commit": commitment(SEED, place), **LOT}
    told.records.insert(kinds.index("evaluation.started") + 1, {"kind": "masks.committed", "body": committed})
    return told


def _is_signature(entry: dict[str, Any]) -> bool:
    return bool(entry["kind"] == "sheet.signed")


def _relabelled(told: Story, value: dict[str, Any], names: Mapping[str, str]) -> str:
    items = sorted(({**item, "bid": names.get(item["bid"], item["bid"])} for item in value["items"]), key=_bid_of)
    body = {name: each for name, each in value.items() if name not in {"items", "typ", "v"}}
    return told.add("mb.score-sheet", SHEET.write({**body, "items": items}))


def _bid_of(item: dict[str, Any]) -> str:
    return str(item["bid"])


def story_of(tier: str) -> Story:
    told = story()
    told.tier = tier
    return told


def without(kind: str) -> Callable[[Story], None]:
    def lie(told: Story) -> None:
        last = next(each for each in reversed(told.records) if each["kind"] == kind)
        told.records.remove(last)

    return lie


def item(told: Story, bid: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in told.body("bids.ranked")["items"] if each["bid"] == bid)
    return found


def swapped(told: Story) -> None:
    item(told, "b-2b")["rank"], item(told, "b-3c")["rank"] = 2, 1


def raised_sum(told: Story) -> None:
    item(told, "b-3c")["scores"][1]["sum"] = "249.5"
    item(told, "b-3c").update(score="89.59")


def out_of_range(told: Story) -> None:
    item(told, "b-3c")["scores"][0]["sum"] = "51"


def bigger_deduction(told: Story) -> None:
    item(told, "b-2b")["evaluated_price"] = 8_000


def claimed_deduction(told: Story) -> None:
    item(told, "b-1a").update(preference="small_micro", evaluated_price=8_100)


def other_rounding(told: Story) -> None:
    item(told, "b-3c")["score"] = "84.60"


def back_in(told: Story) -> None:
    item(told, "b-5e").update(reason=None, rank=5)


def other_sheet(told: Story) -> None:
    told.body("scores.opened")["sheets"][0] = "0" * 64


def handed_in_early(told: Story) -> None:
    last = next(each for each in reversed(told.records) if each["kind"] == "sheet.signed")
    told.records.remove(last)
    told.records.insert(next(n for n, each in enumerate(told.records) if each["kind"] == "scores.opened"), last)


def handed_in_another(told: Story) -> None:
    told.body("sheet.handed_in")["sheet_commit"] = "7" * 64


def made_void(told: Story) -> None:
    signed = told.body("sheet.signed")
    place = next(n for n, each in enumerate(told.records) if each["kind"] == "sheet.handed_in")
    void = {"reason": "lost", "seat": signed["seat"], "version": 1, **LOT}
    told.records.insert(place, {"kind": "sheet.voided", "body": void})


def never_shown(told: Story) -> None:
    told.records.remove(next(each for each in reversed(told.records) if each["kind"] == "sheet.held"))


def shown_late(told: Story) -> None:
    last = next(each for each in reversed(told.records) if each["kind"] == "sheet.held")
    told.records.remove(last)
    told.records.insert(next(n for n, each in enumerate(told.records) if each["kind"] == "scores.opened"), last)


def another_shown(told: Story) -> None:
    told.body("sheet.held")["echo"] = "7" * 64


def made_void_late(told: Story) -> None:
    signed = [each["body"] for each in told.records if each["kind"] == "sheet.signed"][-1]
    place = max(n for n, each in enumerate(told.records) if each["kind"] == "sheet.handed_in")
    void = {"reason": "lost", "seat": signed["seat"], "version": 1, **LOT}
    told.records.insert(place, {"kind": "sheet.voided", "body": void})


def outdated(told: Story) -> None:
    signed = told.body("sheet.signed")
    place = next(n for n, each in enumerate(told.records) if each["kind"] == "sheet.handed_in")
    body = {"bids": [], "sheets": [{"seat": signed["seat"], "version": 1}], **LOT}
    told.records.insert(place, {"kind": "sheets.outdated", "body": body})


def of_an_older_log(told: Story) -> None:
    """Signatures from before sheets had to be shown to be there."""
    for each in told.records:
        if each["kind"] == "sheet.signed":
            del each["body"]["bids"]
    told.records[:] = [each for each in told.records if each["kind"] != "sheet.held"]


def fewer_members(told: Story) -> None:
    told.body("bids.ranked")["members"] = 4


def stranger_signs(told: Story) -> None:
    told.body("report.signed")["seat"] = "m-z"


def replaced_at_the_end(told: Story) -> None:
    told.records.insert(-1, {"kind": "member.replaced", "body": {"seat": "m-a", "by": "m-z", "reason": "ill"}})


def two_reports(told: Story) -> None:
    told.body("report.signed")["report_sha256"] = "5" * 64


LIES = [
    (swapped, "recomputed"),
    (raised_sum, "the sum of plan is not that of the sheets"),
    (out_of_range, "out of its range"),
    (bigger_deduction, "recomputed"),
    (claimed_deduction, "recomputed"),
    (other_rounding, "recomputed"),
    (back_in, "recomputed"),
    (other_sheet, "other sheets than the members signed"),
    (fewer_members, "another number of members"),
    (stranger_signs, "no report is signed by every member"),
    (two_reports, "no report is signed by every member"),
    (replaced_at_the_end, "no report is signed by every member"),
    (without("scores.opened"), "never opened"),
    (without("sheet.handed_in"), "a sheet that was never handed in"),
    (handed_in_early, "before every member had signed"),
    (handed_in_another, "another sheet was handed in than the member signed"),
    (never_shown, "before every member had shown the signed one"),
    (shown_late, "before every member had shown the signed one"),
    (another_shown, "another sheet was shown than the one that was handed in"),
    (made_void_late, "made void after sheets of others were handed in"),
    (outdated, "other sheets than the members signed"),
    (made_void, "other sheets than the members signed"),
    (made_void, "before every member had signed"),
    (without("sheet.signed"), "other sheets than the members signed"),
    (without("evaluation.started"), "without the committee"),
    (without("report.signed"), "no report is signed by every member"),
    (without("bid.examined"), "recomputed"),
]


def test_the_golden_ranking_is_recomputed() -> None:
    assert story().complaints() == []


def test_signatures_of_older_logs_were_never_asked_to_be_shown() -> None:
    told = story()
    of_an_older_log(told)
    assert told.complaints() == []


@pytest.mark.parametrize(("lie", "said"), LIES, ids=[f"{n}-{lie.__name__}" for n, (lie, _) in enumerate(LIES)])
def test_a_lie_is_found(lie: Callable[[Story], None], said: str) -> None:
    told = story()
    lie(told)
    assert any(said in text for text in told.complaints()), told.complaints()


def test_a_lower_tier_checks_everything_but_the_sheets() -> None:
    told = story()
    told.documents = {digest: each for digest, each in told.documents.items() if each.typ != "mb.score-sheet"}
    assert told.complaints() == ["a sheet that it opens is not in the bundle"]
    told.tier = "public"
    assert told.complaints() == []
    assert story_of("public").complaints() == ["a lower tier discloses the sheets of members"]
    other_rounding(told)
    assert len(told.complaints()) == 1


def resheet(told: Story, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Change the items of one sheet that is opened, under its own digest."""
    sheet = told.documents[told.body("scores.opened")["sheets"][0]]
    change(sheet.value["items"])


def other_letters(told: Story) -> None:
    one, two, *_ = told.body("masks.revealed")["masks"]
    one["mask"], two["mask"] = two["mask"], one["mask"]


def other_seed(told: Story) -> None:
    told.body("masks.revealed")["seed"] = "ab" * 32


def doubled_letter(told: Story) -> None:
    one, two, *_ = told.body("masks.revealed")["masks"]
    one["mask"] = two["mask"]


def letter_of_nobody(told: Story) -> None:
    resheet(told, lambda items: items[0].update(bid="Q"))


def reference_in_a_sheet(told: Story) -> None:
    resheet(told, lambda items: items[0].update(bid=VECTOR["opened"][0]["bid"]))


def letter_twice(told: Story) -> None:
    resheet(told, lambda items: items[1].update(bid=items[0]["bid"]))


def fixed_late(told: Story) -> None:
    at = next(n for n, each in enumerate(told.records) if each["kind"] == "masks.committed")
    told.records.insert(-1, told.records.pop(at))


def told_before(told: Story) -> None:
    at = next(n for n, each in enumerate(told.records) if each["kind"] == "masks.revealed")
    told.records.insert(at - 1, told.records.pop(at))


def not_announced(told: Story) -> None:
    notice = next(each for each in told.documents.values() if each.typ == "mb.notice")
    del notice.value["lots"][0]["masked"]


MASK_LIES = [
    (other_letters, "letters do not follow from the seed"),
    (other_letters, "is not that of the sheets"),
    (other_seed, "is a commitment to another seed"),
    (doubled_letter, "a letter or a bid stands in it twice"),
    (letter_of_nobody, "which are no letters of the lot"),
    (reference_in_a_sheet, "which are no letters of the lot"),
    (letter_twice, "a sheet names a letter twice"),
    (fixed_late, "letters were not fixed before the sheets"),
    (told_before, "or told before the scores"),
    (not_announced, "masks bidders otherwise than the notice says"),
    (without("masks.revealed"), "masks bidders otherwise than the notice says"),
    (without("masks.committed"), "masks bidders otherwise than the notice says"),
]


def test_sheets_of_masked_bidders_are_summed_by_the_disclosed_letters() -> None:
    assert masked_story().complaints() == []


@pytest.mark.parametrize(
    ("lie", "said"), MASK_LIES, ids=[f"{n}-{lie.__name__}" for n, (lie, _) in enumerate(MASK_LIES)]
)
def test_a_lie_about_letters_is_found(lie: Callable[[Story], None], said: str) -> None:
    told = masked_story()
    lie(told)
    assert any(said in text for text in told.complaints()), told.complaints()
