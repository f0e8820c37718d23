"""Make a calendar file from the ``holidays`` package: ``python -m trading.rulebook.calendar_seed YEAR SOURCE``.

A development tool: the product reads the checked-in file and never imports ``holidays``. The output is compared with
the notice of the State Council before it is committed. A year whose adjusted weekends (调休) are not known yet is
refused: its public holidays alone would count too many rest days and too few working days.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from trading.kernel.calendar import CalendarDay


def changed_days(year: int, source: str) -> list[CalendarDay]:
    """Return the days of a year that differ from the ordinary week, in order.

    Raises:
        ValueError: The package knows no adjusted weekend of the year, so the yearly notice is not in it.
    """
    import holidays  # noqa: PLC0415 - only the tool needs it, not the product

    china = holidays.country_holidays("CN", years=year, language="zh_CN")
    adjusted = {day for day in china.weekend_workdays if day.year == year}
    if not adjusted:
        raise ValueError(f"the adjusted weekends of {year} are not known to the installed holidays package")
    rows = [CalendarDay(day=day, is_workday=True, name="调休上班", source=source) for day in adjusted]
    for day, name in china.items():
        shown = "调休放假" if name.startswith("休息日") else name.split("(")[0].split("（")[0]
        rows.append(CalendarDay(day=day, is_workday=False, name=shown, source=source))
    return sorted(rows, key=lambda row: row.day)


def render(year: int, source: str) -> Iterator[str]:
    """Yield the lines of ``data/calendar/<year>.toml``."""
    yield f"# Days of {year} that differ from the ordinary week. Checked against the notice named here."
    yield ""
    yield f"year = {year}"
    yield f'source = "{source}"'
    for row in changed_days(year, source):
        yield from ("", "[[day]]", f"day = {row.day}", f"is_workday = {str(row.is_workday).lower()}")
        yield f'name = "{row.name}"'


if __name__ == "__main__":
    sys.stdout.write("\n".join(render(int(sys.argv[1]), sys.argv[2])) + "\n")
