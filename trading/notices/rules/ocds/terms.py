"""Terms of OCDS that every section uses: ids, dates, money, organisations, documents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from trading.kernel.calendar import CHINA
from trading.kernel.money import Money, decimal_text
from trading.notices.rules.ocds.case import Case, Named

SCHEME: Final = "CN-USCC"  # unified social credit code, as org-id.guide lists it
_SECOND_MS: Final = 1_000
_H_CHARACTERS: Final = 16


def ocid(prefix: str, reference: str) -> str:
    """Return the open contracting id of a procedure."""
    return f"{prefix}-{reference}"


def reference_of(prefix: str, text: str) -> str | None:
    """Return the reference in an open contracting id of this publisher; None if it is another's."""
    head, reference = text[: len(prefix) + 1], text[len(prefix) + 1 :]
    return reference if head == f"{prefix}-" and reference else None


def release_id(case_ocid: str, h: str) -> str:
    """Return the id of the release of an entry, by the commitment of its record (hex)."""
    return f"{case_ocid}-{h[:_H_CHARACTERS]}"


def date_time(ms: int) -> str:
    """Return an instant in ms as RFC 3339 in the time of China, with milliseconds only where there are any."""
    seconds, rest = divmod(ms, _SECOND_MS)
    moment = datetime.fromtimestamp(seconds, CHINA).replace(microsecond=rest * 1_000)
    return moment.isoformat(timespec="milliseconds" if rest else "seconds")


def value(minor: int, currency: str) -> dict[str, Any]:
    """Return an amount in minor units as an exact decimal with its currency."""
    return {"amount": Decimal(decimal_text(Money(minor=minor, currency=currency))), "currency": currency}


def party_id(code: str) -> str:
    """Return the id of an organisation inside a release: the same everywhere and for ever."""
    return f"{SCHEME}-{code}"


def reference_to(named: Named) -> dict[str, str]:
    """Return a reference to an organisation of ``parties``."""
    return {"id": party_id(named.code), "name": named.name_zh}


def both(name: str, zh: str, en: str) -> dict[str, str]:
    """Return a text in the release's language, Chinese, and in English where there is one."""
    texts = {name: zh or en}
    return texts | {f"{name}_en": en} if en else texts


def notice_document(case: Case, notice: Mapping[str, Any], at: int, kind: str) -> dict[str, Any]:
    """Return a notice as a document: its page, and when it was published."""
    return {
        "id": f"notice-{notice['number']}",
        "documentType": kind,
        **both("title", notice["title_zh"], notice["title_en"]),
        "url": case.url("notices", str(notice["number"])),
        "datePublished": date_time(at),
        "format": "text/html",
        "language": "zh",
    }
