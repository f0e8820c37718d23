"""The words of a printed receipt, in the reader's language; how it is checked stands there in both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from trading.audit.rules.proof import ReceiptState
from trading.kernel.canonical import dumps
from trading.kernel.encoding import b64
from trading.kernel.events import EventKind
from trading.receipts.model import Statement
from trading.receipts.typesetting import Guide, Line, Manner, Part, Sheet
from trading.receipts.views.fields import field_title, is_instant, place_of
from trading.receipts.views.reasons import reason_text
from trading.web import instants
from trading.web.banner import PRACTICE
from trading.web.banner import TEXT as DEMONSTRATION
from trading.web.locale import LANGUAGES, current_language, pick
from trading.web.locale import gettext as _

_LONGEST: Final = 360  # characters of a value on the page; the rest is in the file
_HEX: Final = frozenset("0123456789abcdef")
_SHORTEST_DIGEST: Final = 32


def sheet(told: Statement, kinds: Iterable[EventKind], public_url: str, *, demo: bool) -> Sheet:
    """Return what stands on the page of a receipt.

    Args:
        told: What the receipt says.
        kinds: The registered kinds of records, for their titles.
        public_url: Where the platform's pages are, without a final slash.
        demo: Whether the platform is a demonstration, whose receipts prove nothing (P13).
    """
    kind = next((each for each in kinds if each.name == told.record["kind"]), None)
    title = told.record["kind"] if kind is None else pick(kind.title_zh, kind.title_en)
    name, note = _state(told.state)
    return Sheet(
        language=current_language(),
        platform=_("Mingbiao"),
        platform_note=_("Public resource trading platform"),
        title=_("Receipt"),
        subject=" · ".join(each for each in (title, told.record["procedure"]) if each),
        banner=PRACTICE if told.practice else DEMONSTRATION if demo else "",
        tone="wait" if told.state is ReceiptState.LOGGED else "open",
        state=name,
        state_note=note,
        parts=(_recorded(told, title), _placed(told), _signed(told)),
        guides=tuple(_guide(told, public_url, language) for language in _reader_first()),
        pointer=told.pointer(public_url),
        pointer_note=_("Address of the entry. After # stand its index, leaf hash, size and root, as printed above."),
        name=told.name,
        name_note=_("The receipt itself: what is checked"),
        proof=told.text.decode(),
        date_s=told.t // 1000,
        foot=_("Entry %(n)d of the log %(origin)s") % {"n": told.n, "origin": told.origin},
    )


def _state(state: ReceiptState) -> tuple[str, str]:
    """Return the state in words, and what it proves (L8.1)."""
    match state:
        case ReceiptState.STAMPED:
            return (
                _("In the log, cosigned by the witnesses and time-stamped"),
                _("Proves place and time against the platform, also to courts that know time stamps."),
            )
        case ReceiptState.WITNESSED:
            return (
                _("In the log, cosigned by the witnesses"),
                _("Proves the place of the record and that it was there at the times below, against the platform too."),
            )
        case _:
            return (
                _("In the log, the witnesses follow"),
                _("Proves the place in the log that the platform signed. Fetch it again soon for the cosignatures."),
            )


def _recorded(told: Statement, title: str) -> Part:
    record = told.record
    lines = [Line(_("Act"), f"{title} ({record['kind']})"), Line(_("Time"), _instant(record["at"]))]
    for label, value in ((_("Procedure"), record["procedure"]), (_("Organisation"), record["on_behalf_of"])):
        if value:
            lines.append(Line(label, value, "code"))
    for field in sorted(record["body"], key=place_of):
        value = record["body"][field]
        lines.append(_line(field, value))
        if field == "reason" and (meaning := reason_text(record["kind"], value)):
            lines.append(Line(_("Meaning"), meaning))
    if record["article"]:
        lines.append(Line(_("Legal grounds"), record["article"]))
    return Part(_("What was recorded"), tuple(lines))


def _line(field: str, value: object) -> Line:
    label = field_title(field)
    if value is None or value in ([], {}):
        return Line(label, "–")
    if is_instant(field) and isinstance(value, int):
        return Line(label, _instant(value))
    if isinstance(value, list) and all(_manner(each) == "digest" for each in value):
        return Line(label, _cut(" ".join(value)), "digest")
    if isinstance(value, list | dict | bool):
        return Line(label, _cut(dumps(value).decode()), "code")
    return Line(label, _cut(str(value)), _manner(value))


def _manner(value: object) -> Manner:
    if not isinstance(value, str) or not value.isascii() or " " in value:
        return "text"
    return "digest" if len(value) >= _SHORTEST_DIGEST and _HEX.issuperset(value) else "code"


def _cut(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return text[:_LONGEST] + " … " + _("(in full in the attached file)")


def _placed(told: Statement) -> Part:
    return Part(
        _("Where it stands in the log"),
        (
            Line(_("Log"), told.origin, "code"),
            Line(_("Entry"), str(told.n), "code"),
            Line(_("Taken into the log"), _instant(told.t)),
            Line(_("Commitment (h)"), told.h, "digest"),
            Line(_("Leaf hash"), b64(told.leaf), "digest"),
            Line(_("Size of the checkpoint"), str(told.size), "code"),
            Line(_("Root of the checkpoint"), b64(told.root), "digest"),
        ),
    )


def _signed(told: Statement) -> Part:
    lines = [Line(_("Log"), told.origin, "code")]
    lines += [Line(_("Witness"), f"{each.witness} · {_second(each.at)}") for each in told.cosignatures]
    if not told.cosignatures:
        lines.append(Line(_("Witness"), "–"))
    return Part(_("Who signed the checkpoint"), tuple(lines))


def _instant(ms: int) -> str:
    shown = instants.local(ms).isoformat(sep=" ", timespec="milliseconds")[:23]
    return f"{shown} ({instants.zone_text(ms, current_language())})"


def _second(ms: int) -> str:
    return f"{instants.moment_text(ms)} ({instants.zone_text(ms, current_language())})"


def _reader_first() -> list[str]:
    return sorted(LANGUAGES, key=lambda language: language != current_language())


def _guide(told: Statement, public_url: str, language: str) -> Guide:
    """Return how to check it, word for word in the language named: a receipt travels to readers of either."""
    page, command = f"{public_url}/verify", f"python3 verify.py {told.n}.pdf --trust trust.json"
    if language == "zh":
        return Guide(
            language,
            "如何核验",
            f"有证明力的是本 PDF 所附文件 {told.name}；页面文字只是复述。请以核验结果显示的内容为准，不以页面为准。",
            (
                ("在核验页面拖入本 PDF，浏览器在本机核验，不上传：", page),
                ("或断网运行核验程序（trust.json 向监督部门索取）：", command),
                ("只有纸面时：扫码，将“#”后的数值与任一日志副本比对。", ""),
            ),
        )
    return Guide(
        language,
        "How to check it",
        f"The proof is the file {told.name} attached to this PDF; the page only repeats it. "
        "Believe what the check shows, not the page.",
        (
            ("Drop this PDF on the page below. Your browser checks it; nothing is uploaded.", page),
            ("Or run the verifier offline (trust.json from the supervisor):", command),
            ("On paper: scan the code and compare what follows # with any copy of the log.", ""),
        ),
    )
