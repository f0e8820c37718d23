"""What the reasons that the platform itself puts into records say, in the reader's language.

A record keeps its canonical word, which was hashed; a page says beside it what it means. What people wrote stays as it
is: their words are the record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trading.audit.rules.clocks import BEHIND, DISAGREE, FAR, SILENT, UNSYNCHRONISED
from trading.web.locale import gettext
from trading.web.locale import lazy as _

_TOO_FEW: Final[Mapping[str, object]] = {
    "fewer_than_three": _("Fewer bids arrived than the rules require. There is no opening, and the bids stay sealed."),
    "fewer_than_three_after_opening": _("Fewer bids could be opened than the rules require."),
}
#: By kind of record, then by canonical word.
_TEXTS: Final[Mapping[str, Mapping[str, object]]] = {
    "clock.hold": {
        SILENT: _("The host did not report the state of its clock for 120 seconds"),
        UNSYNCHRONISED: _("The clock is not synchronised"),
        FAR: _("The clock may be wrong by more than 500 milliseconds"),
        DISAGREE: _("A witness and the clock of the database disagreed at a deadline"),
    },
    "closing.blocked": {
        "clock": _("The clock was on hold around this deadline, so the deadline does not count"),
        "intake": _("The list of the supervisor's intake could not be obtained"),
    },
    "key.revoked": {"revoked by its organisation": _("Revoked by its organisation")},
    "lot.failed": _TOO_FEW,
    "opening.refused": _TOO_FEW,
}


def reason_text(kind: str, word: str | None) -> str | None:
    """Return what the reason of a record says, in the reader's language; None for words that people wrote.

    Args:
        kind: The kind of the record.
        word: Its ``reason`` as it was recorded.
    """
    text = _TEXTS.get(kind, {}).get(word or "")
    if text is not None:
        return str(text)
    behind = BEHIND.fullmatch(word or "") if kind == "clock.hold" else None
    return None if behind is None else gettext("The clock is %(ms)s ms behind the last entry") % {"ms": behind[1]}
