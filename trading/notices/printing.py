"""The opening record on paper: what the page says, with the receipt of its completion attached (OPN-13, ADR 0056).

The maker is that of printed receipts (ADR 0042): PDF/A-3a; the same record in the same language gives the same bytes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from flask import get_template_attribute

from trading.audit.runtime import Runtime
from trading.audit.service import IssuedReceipt
from trading.notices.queries.opening import BidRow, Ceremony
from trading.openings.queries import Spoken
from trading.receipts.service import read
from trading.receipts.typesetting import Guide, Line, Part, typeset
from trading.receipts.views.words import sheet
from trading.web import filters, instants
from trading.web.locale import current_language, ngettext, pick
from trading.web.locale import gettext as _

_LABELS: Final = "_labels.html"
_COUNTS: Final = {
    "zh": "所附文件 {name} 证明“开标完成”这条记录；唱标的每个数字各有一条日志记录，"
    "编号见开标页面和机器可读的开标记录。",
    "en": "The attached file {name} proves the entry “opening completed”. Every figure read out is an entry of its "
    "own; the page of the opening and the record for programs name them.",
}


def opening_pdf(runtime: Runtime, c: Ceremony, issued: IssuedReceipt) -> bytes:
    """Return the record as a PDF.

    Args:
        runtime: Of this process.
        c: A completed opening.
        issued: The best receipt of its ``opening.completed``.
    """
    told = read(runtime, issued)
    made = sheet(told, runtime.ledger.registry, runtime.public_url, demo=runtime.demo)
    page = f"{runtime.public_url}/procedures/{c.reference}/lots/{c.lot}/opening"
    said = (_begun(c, page), _read_out(c), _custodians(c), _objections(c))
    return typeset(
        replace(
            made,
            title=_("Opening record"),
            subject=" · ".join((c.reference, pick(c.title_zh, c.title_en), _("Lot %(number)s") % {"number": c.lot})),
            parts=(*said, *made.parts[1:]),
            guides=tuple(_guide(each, made.name) for each in made.guides),
        )
    )


def _guide(guide: Guide, name: str) -> Guide:
    return replace(guide, counts=_COUNTS[guide.language].format(name=name))


def _begun(c: Ceremony, page: str) -> Part:
    lines = [
        Line(_("Procedure"), c.reference, "code"),
        Line(_("Lot"), f"{c.lot} · {pick(c.lot_zh, c.lot_en)}"),
        Line(_("Address"), page, "code"),
    ]
    if c.closing is not None:
        count = ngettext("%(num)d bid", "%(num)d bids", c.closing.count) % {"num": c.closing.count}
        lines += [
            Line(_("Closed at"), _instant(c.closing.closed_at)),
            Line(_("Number of bids"), count),
            Line(_("Root of the list of bids"), c.closing.bids_root, "digest"),
        ]
    if c.ceiling is not None:
        lines.append(Line(_("Price ceiling"), filters.money(c.ceiling, c.currency)))
    lines.append(Line(_("Opening order, SHA-256"), c.order_sha256 or "–", "digest"))
    return Part(_("Opening"), tuple(lines))


def _read_out(c: Ceremony) -> Part:
    lines = [
        Line(f"{number}. {pick(bid.bidder_zh, bid.bidder_en)}", _result(bid)) for number, bid in enumerate(c.bids, 1)
    ]
    return Part(_("Read out, in the order of the opening order"), tuple(lines))


def _result(bid: BidRow) -> str:
    said = (
        []
        if bid.price is None
        else [filters.money(bid.price, bid.currency), filters.money_words(bid.price, bid.currency)]
    )
    if bid.delivery_days is not None:
        days = ngettext("delivery in %(num)d day", "delivery in %(num)d days", bid.delivery_days)
        said.append(days % {"num": bid.delivery_days})
    said += [_label("verdict", bid.verdict or ""), _label("verdict_effect", bid.verdict or "")]
    for fault in bid.faults:
        said.append(_("Custodian %(number)d") % {"number": fault.custodian} + " " + _label("fault", fault.code))
    return " · ".join(each for each in said if each)


def _custodians(c: Ceremony) -> Part:
    kinds = (
        ("share.checked", _("checked %(instant)s")),
        ("share.released", _("released %(instant)s")),
        ("custodian.key_destroyed", _("key destroyed %(instant)s")),
    )
    lines = []
    for holder in c.holders:
        index = holder.custodian.index
        acts = [(text, at) for kind, text in kinds if (at := c.acted_at(kind, index)) is not None]
        said = " · ".join(text % {"instant": instants.moment_text(at)} for text, at in acts)
        lines.append(Line(f"{index}. {holder.custodian.name}", said or "–"))
    return Part(_("Custodians; any %(k)d are enough") % {"k": c.k}, tuple(lines))


def _objections(c: Ceremony) -> Part:
    names = {bid.bidder_code: pick(bid.bidder_zh, bid.bidder_en) for bid in c.bids}
    lines = [line for each in c.spoken for line in _objection(each, names.get(each.bidder, each.bidder))]
    none = (Line(_("Objections"), _("Nobody objected on the spot.")),)
    return Part(_("Objections to the opening"), tuple(lines) or none)


def _objection(spoken: Spoken, name: str) -> tuple[Line, ...]:
    said = Line(f"{name}, {instants.moment_text(spoken.at)}", spoken.text)
    if spoken.answer is None:
        return (said, Line(_("Answer"), "–"))
    return (said, Line(_("Answer") + f", {instants.moment_text(spoken.answer.at)}", spoken.answer.text))


def _label(macro: str, code: str) -> str:
    return str(get_template_attribute(_LABELS, macro)(code)).strip()


def _instant(ms: int) -> str:
    shown = instants.local(ms).isoformat(sep=" ", timespec="milliseconds")[:23]
    return f"{shown} ({instants.zone_text(ms, current_language())})"
