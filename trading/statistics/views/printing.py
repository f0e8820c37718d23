"""The bulletin on paper: its figures, with the receipt of the record that names its SHA-256 attached (ADR 0042)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from trading.audit.runtime import Runtime
from trading.audit.service import IssuedReceipt
from trading.receipts.service import read
from trading.receipts.typesetting import Guide, Line, Part, typeset
from trading.receipts.views.words import sheet
from trading.statistics.queries import Bulletin
from trading.statistics.rules.bulletin import figures, parse
from trading.statistics.rules.cube import By, Figure
from trading.statistics.views.words import Words
from trading.web.locale import current_language
from trading.web.locale import gettext as _

_COUNTS: Final = {
    "zh": "所附文件 {name} 证明日志记录了月报文件（JSON）的 SHA-256；本页数字取自该文件，"
    "可用“mingbiao statistics”命令由批量开放数据重新计算。",
    "en": "The attached file {name} proves that the log recorded the SHA-256 of the bulletin (JSON). The figures of "
    "this page are those of that file; “mingbiao statistics” computes them again from the open data in bulk.",
}
_MOST: Final = 200  # lines of a part on paper; the file has all


def bulletin_pdf(runtime: Runtime, found: Bulletin, issued: IssuedReceipt) -> bytes:
    """Return the bulletin as a PDF.

    Args:
        runtime: Of this process.
        found: The bulletin.
        issued: The best receipt of its ``statistics.published``.
    """
    told = read(runtime, issued)
    made = sheet(told, runtime.ledger.registry, runtime.public_url, demo=runtime.demo)
    content = parse(found.raw)
    names = {row["group"]: row["name"] for row in content["by_agency"] if "name" in row}
    words = Words(language=current_language(), agencies=names)
    page = f"{runtime.public_url}/statistics/bulletins/{found.month}"
    head = Part(
        _("Bulletin"),
        (
            Line(_("Month"), found.month, "code"),
            Line(_("Releases read"), str(content["releases"]["count"]), "code"),
            Line(_("SHA-256 of their lines"), content["releases"]["lines_sha256"], "digest"),
            Line(_("SHA-256 of the bulletin (JSON)"), found.sha256, "digest"),
            Line(_("Address"), page, "code"),
        ),
    )
    whole = Part(_("Figures"), tuple(_line(words, words.pick(each.indicator.title), each) for each in figures(content)))
    parts: tuple[By, ...] = ("region", "kind")
    return typeset(
        replace(
            made,
            title=_("Monthly bulletin"),
            subject=found.month,
            parts=(head, whole, *(_by(words, by, figures(content, by)) for by in parts), *made.parts[1:]),
            guides=tuple(_guide(each, made.name) for each in made.guides),
        )
    )


def _by(words: Words, by: By, rows: list[Figure]) -> Part:
    lines = [
        _line(words, f"{words.group(by, each.group)}, {words.pick(each.indicator.title)}", each)
        for each in rows
        if each.sum.numerator or each.sum.denominator
    ]
    return Part(words.dimension(by), tuple(lines[:_MOST]) or (Line(_("Figures"), "–"),))


def _line(words: Words, label: str, figure: Figure) -> Line:
    above, below = words.parts(figure)
    of = "" if figure.indicator.unit == "count" else f" ({above} / {below})"
    left = words.left(figure)
    told = "" if left == "–" else " · " + _("left out:") + f" {left}"
    return Line(label, f"{words.value(figure)}{of}{told}")


def _guide(guide: Guide, name: str) -> Guide:
    return replace(guide, counts=_COUNTS[guide.language].format(name=name))
