"""Template filters: the only way numbers, money, instants and digests reach a page (style 10).

Filters return text or escaped markup; none decides anything. Instants are ms UTC, money is integer minor units.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from flask import Flask
from markupsafe import Markup, escape

from trading.kernel.ids import is_practice
from trading.kernel.money import Money, format_money, in_words
from trading.web import instants
from trading.web.locale import current_language, ngettext

SECOND_MS: Final = 1000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
SHORT_DIGEST: Final = 12
GROUP: Final = 8
# Units of charts, in currency units: 亿 and 万, millions and thousands.
_AXIS: Final = {"zh": ((10**8, "亿"), (10**4, "万")), "en": ((10**6, "M"), (10**3, "k"))}
_TIME: Final = Markup('<time datetime="{}">{}</time>')
_TIME_WITH_ZONE: Final = Markup('<time datetime="{}">{} <span class="zone">({})</span></time>')


@lru_cache(maxsize=4096)
def _instant(ms: int, language: str, timespec: str) -> Markup:
    shown = instants.local(ms).isoformat(sep=" ", timespec=timespec)[: 19 if timespec == "seconds" else 23]
    return _TIME_WITH_ZONE.format(instants.machine_text(ms), shown, instants.zone_text(ms, language))


def instant(ms: int) -> Markup:
    """``2026-05-12 09:30:00 (北京时间 UTC+8)``."""
    return _instant(ms, current_language(), "seconds")


def exact_instant(ms: int) -> Markup:
    """The same with milliseconds, where they decide."""
    return _instant(ms, current_language(), "milliseconds")


@lru_cache(maxsize=4096)
def day(ms: int) -> Markup:
    """``2026-05-12``, the civil day in the platform's zone."""
    return _TIME.format(instants.machine_text(ms), instants.local(ms).date().isoformat())


@lru_cache(maxsize=4096)
def moment(ms: int) -> Markup:
    """``2026-05-12 09:30:00``: for lists whose heading names the zone."""
    return _TIME.format(instants.machine_text(ms), instants.local(ms).isoformat(sep=" ", timespec="seconds")[:19])


def time_of_day(ms: int) -> str:
    """``09:30:00``, for the exact rule "before 09:30:00"."""
    return instants.local(ms).isoformat()[11:19]


def zone(ms: int) -> str:
    """``北京时间 UTC+8``."""
    return instants.zone_text(ms, current_language())


def duration(ms: int) -> str:
    """The two largest units of a span, rounded down: ``3 天 4 小时``, ``12 minutes``."""
    days, rest = divmod(max(ms, 0), DAY_MS)
    hours, rest = divmod(rest, HOUR_MS)
    minutes, rest = divmod(rest, MINUTE_MS)
    seconds = rest // SECOND_MS
    parts = [
        ngettext("%(num)d day", "%(num)d days", days) % {"num": days},
        ngettext("%(num)d hour", "%(num)d hours", hours) % {"num": hours},
        ngettext("%(num)d minute", "%(num)d minutes", minutes) % {"num": minutes},
        ngettext("%(num)d second", "%(num)d seconds", seconds) % {"num": seconds},
    ]
    first = next((place for place, count in enumerate((days, hours, minutes, seconds)) if count), len(parts) - 1)
    counts = (days, hours, minutes, seconds)
    return (
        " ".join(part for part, count in list(zip(parts, counts, strict=True))[first : first + 2] if count) or parts[-1]
    )


@lru_cache(maxsize=4096)
def money(minor: int, currency: str = "CNY") -> str:
    """``¥1,234,567.89``."""
    return format_money(Money(minor=minor, currency=currency))


def money_axis(minor: int, currency: str = "CNY") -> str:
    """A round amount for the axis of a chart: ``¥300万`` or ``¥3M``; the whole amount if it is not round enough."""
    for step, sign in _AXIS[current_language()]:
        if minor and minor % (step * 100) == 0:
            return format_money(Money(minor=minor // step, currency=currency)).removesuffix(".00") + sign
    return format_money(Money(minor=minor, currency=currency)).removesuffix(".00")


@lru_cache(maxsize=1024)
def money_words(minor: int, currency: str = "CNY") -> str:
    """The amount in Chinese numerals (大写); empty for other currencies."""
    return in_words(Money(minor=minor, currency=currency)) if currency == "CNY" and minor >= 0 else ""


@lru_cache(maxsize=4096)
def short(digest: str) -> Markup:
    """The first twelve characters of a digest; the whole one is in the element's title."""
    return Markup('<code class="digest" title="{}">{}…</code>').format(digest, digest[:SHORT_DIGEST])


@lru_cache(maxsize=4096)
def fingerprint(digest: str) -> Markup:
    """A whole digest in groups of eight characters that may break over lines but copy as one word."""
    groups = (escape(digest[start : start + GROUP]) for start in range(0, len(digest), GROUP))
    return Markup('<code class="digest">{}</code>').format(Markup("<wbr>").join(groups))


def size(count: int) -> str:
    """``842 B``, ``9.1 kB``, ``12.0 MB``: decimal units, as on disks."""
    if count < 1000:  # noqa: PLR2004 - the step between decimal units
        return f"{count} B"
    tenths, unit = count // 100, "kB"
    for larger in ("MB", "GB", "TB"):
        if tenths < 10_000:  # noqa: PLR2004 - a thousand of the unit, in tenths
            break
        tenths, unit = tenths // 1000, larger
    return f"{tenths // 10}.{tenths % 10} {unit}"


def number(value: int) -> str:
    """``184,201``."""
    return f"{value:,}"


FILTERS: Final = (
    instant,
    exact_instant,
    day,
    moment,
    time_of_day,
    zone,
    duration,
    money,
    money_axis,
    money_words,
    short,
    fingerprint,
    size,
    number,
)


def install(app: Flask) -> None:
    """Give ``app``'s templates the filters."""
    app.jinja_env.filters.update({each.__name__: each for each in FILTERS})
    app.jinja_env.tests["practice"] = is_practice
