"""Pages of the scoring desk in their states: a bid of three files, open at a page, searched, and still being drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

from tests.build.pages import Sample, digest
from tests.build.pages_evaluation import (
    CELLS,
    CRITERIA,
    MEMBER,
    NAMES,
    READY,
    REFERENCE,
    facts,
    handing,
    opened_file,
    scoring,
)
from trading.evaluation.queries import DrawnFile, DrawnPage, OpenedFile
from trading.evaluation.rules.finding import hit_of
from trading.evaluation.rules.sheets import Score, scored
from trading.evaluation.views.desk import messages, running_most
from trading.evaluation.views.reader import Found, Reader, Volume
from trading.inspection.findings import Found as Finding

BID, OTHER = "b-2m7k9d4x", "b-5t8w1n6q"
LOT = f"/evaluation/{REFERENCE}/lots/1"
TEXT = (
    "三、供货与安装方案\r\n\r\n合同签订后四十五日内分三批供货：第一批课桌椅二百套，寒假前送达；第二批、第三批在寒假中安装，"
    "不占用上课时间。每间教室安装二人一组，当日完成、当日清扫。\r\n\r\n质保期五年，接到报修后二十四小时内到场。"
)
PLAN = replace(opened_file("方案/供货与安装方案.pdf"), kind="pdf")
LETTER = replace(opened_file("投标函.docx", preview="投标函\n\n我方愿按读出的价格供货与安装。\n"), kind="docx")
PHOTO = replace(opened_file("样品/桌面.png"), kind="png")
DRAWING = opened_file("方案/图纸.dwg", Finding.TYPE_UNKNOWN)
HOSTILE = opened_file("方案/演示.pdf", Finding.PDF_SCRIPT)
FILES = (LETTER, DRAWING, PLAN, HOSTILE, PHOTO)


def drawing(file: OpenedFile, pages: int, drawn: int | None = None, *, missing: int = 0) -> DrawnFile:
    looked_at = pages if drawn is None else drawn
    return DrawnFile(sha256=file.sha256, pages=pages, finished=drawn is None, drawn=looked_at, missing=missing)


DRAWN = {PLAN.sha256: drawing(PLAN, 12, missing=1), PHOTO.sha256: drawing(PHOTO, 1)}
GOING = {PLAN.sha256: drawing(PLAN, 12, 4)}


def volumes(drawings: dict[str, DrawnFile]) -> tuple[Volume, ...]:
    return tuple(Volume(file=each, drawing=drawings.get(each.sha256)) for each in FILES)


def reader(address: str, **changes: Any) -> Reader:  # noqa: ANN401 - fields of the reader
    """Return a bid open at page 3 of its plan."""

    def to(**asked: str | None) -> str:
        return address + "?" + urlencode({name: value for name, value in asked.items() if value is not None})

    shown = volumes(DRAWN)
    page = DrawnPage(number=3, large=digest("large"), small=digest("small"), width=1428, height=2020, text=TEXT)
    fields: dict[str, Any] = {
        "bid": BID,
        "volumes": shown,
        "open": shown[2],
        "number": 3,
        "page": page,
        "words": "",
        "found": (),
        "address": to,
    }
    return Reader(**(fields | changes))


def found(words: str) -> tuple[Found, ...]:
    shown = volumes(DRAWN)
    texts = [(shown[0], 1, LETTER.preview), (shown[2], 3, TEXT), (shown[2], 7, TEXT[40:])]
    hits = [(volume, number, hit_of(text, words)) for volume, number, text in texts]
    return tuple(Found(volume=volume, number=number, hit=hit) for volume, number, hit in hits if hit is not None)


def sheet(cells: dict[str, Score], shown: Reader) -> dict[str, Any]:
    return {
        "room": MEMBER,
        "state": READY,
        "bid": BID,
        "facts": facts(BID, READY),
        "criteria": CRITERIA,
        "names": NAMES,
        "reader": shown,
        "told": partial(lambda: {each.id: messages(each) for each in scored(CRITERIA)}),
        "most": running_most(CRITERIA),
        "following": f"{LOT}/sheet/{OTHER}",
        "handing": handing(),
        "form": partial(scoring, cells),
    }


def samples() -> Iterator[Sample]:
    """The desk, two bids side by side, and the bid page by page."""
    address, page = f"{LOT}/sheet/{BID}", "evaluation/sheet.html"
    full = CELLS[BID]
    yield Sample("evaluation-sheet", address, page, sheet(full, reader(address)))
    due = {**sheet({}, reader(address)), "handing": handing(0, 5)}
    yield Sample("evaluation-sheet-due", address, page, due)
    searched = reader(address, words="供货与安装", found=found("供货与安装"))
    yield Sample("evaluation-sheet-found", address, page, sheet({}, searched))
    nothing = reader(address, words="没有的词")
    yield Sample("evaluation-sheet-found-nothing", address, page, sheet({}, nothing))
    waiting = reader(address, volumes=None, open=None, page=None)
    yield Sample("evaluation-sheet-waiting", address, page, sheet({}, waiting))

    address, page = f"{LOT}/bids/{BID}/pages", "evaluation/pages.html"
    room = {"room": MEMBER, "state": READY, "bid": BID, "name": NAMES[BID]}
    going = volumes(GOING)
    lost = reader(address, page=DrawnPage(number=3, large=None, small=None, width=0, height=0, text=""))
    letter = reader(address, open=volumes(DRAWN)[0], number=1, page=None)
    yield Sample("evaluation-pages", address, page, room | {"reader": reader(address)})
    drawn = reader(address, volumes=going, open=going[2], number=5, page=None)
    yield Sample("evaluation-pages-drawing", address, page, room | {"reader": drawn})
    yield Sample("evaluation-pages-lost", address, page, room | {"reader": lost})
    yield Sample("evaluation-pages-text", address, page, room | {"reader": letter})
    closed = reader(address, volumes=volumes({})[1:2], open=None, page=None)
    yield Sample("evaluation-pages-none", address, page, room | {"reader": closed})

    address, page = f"{LOT}/sheet/{BID}/beside/{OTHER}", "evaluation/beside.html"
    second = reader(address, bid=OTHER, prefix="other_", number=4)
    plan, warranty = CRITERIA[2], CRITERIA[1]
    for name, criterion in (("evaluation-beside", plan), ("evaluation-beside-objective", warranty)):
        beside = {
            "room": MEMBER,
            "state": READY,
            "bid": BID,
            "other": OTHER,
            "cells": CELLS,
            "criteria": scored(CRITERIA),
            "criterion": criterion,
            "names": NAMES,
            "readers": (reader(address), second),
            "to": lambda **asked: f"{LOT}/sheet/{BID}/beside/{OTHER}?{urlencode(asked)}",
        }
        yield Sample(name, address, page, beside)
