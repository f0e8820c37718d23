"""Who may be admitted: years, title, age, clean record by the edition (EXP-07, EXP-08), and for how long (EXP-29)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from trading.kernel.errors import RuleBroken
from trading.pool.rules.dossier import Dossier
from trading.rulebook.keys import Key, Regime
from trading.rulebook.model import Edition

REGIMES: Final = (Regime.TL, Regime.GP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What the rules look at.

    Attributes:
        dossier: What the applicant tells.
        today: Date in the zone of the platform.
        punished: Dates of the sanctions that stand in his credit file.
        banned_until: Last day of a ban in force, or None.
    """

    dossier: Dossier
    today: date
    punished: tuple[date, ...] = ()
    banned_until: date | None = None


def after_years(day: date, years: int) -> date:
    """Return the same day of a later year; the 29 February becomes the 28th (TIM-04, 民法典 202)."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


def age_on(birth: date, day: date) -> int:
    """Return full years of age; on the birthday itself the new year has been reached."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def require_admissible(edition: Edition, regime: Regime, candidate: Candidate) -> None:
    """Refuse whoever the edition does not let in.

    Raises:
        RuleBroken: ``pool.years``, ``pool.title``, ``pool.age``, ``pool.record``, ``pool.banned``, each with its rule.
    """
    if candidate.banned_until is not None and candidate.today <= candidate.banned_until:
        raise RuleBroken("pool.banned", _LIABILITY[regime], until=candidate.banned_until.isoformat())
    match regime:
        case Regime.TL:
            _require_tl(edition, candidate.dossier)
        case Regime.GP:
            _require_gp(edition, candidate)
        case _:
            raise ValueError(f"no pool for {regime}")


_LIABILITY: Final = {Regime.TL: "EXP-26", Regime.GP: "EXP-25"}


def _require_tl(edition: Edition, dossier: Dossier) -> None:
    if not edition.allows(Key.EXPERT_YEARS_TL, Regime.TL, dossier.years):
        raise RuleBroken("pool.years", "EXP-07", years=edition.count(Key.EXPERT_YEARS_TL, Regime.TL))
    if not edition.allows(Key.EXPERT_TITLE_TL, Regime.TL, dossier.title):
        raise RuleBroken("pool.title", "EXP-07")


def _require_gp(edition: Edition, candidate: Candidate) -> None:
    dossier, gp = candidate.dossier, Regime.GP
    if not edition.allows(Key.EXPERT_TITLE_ALONE_GP, gp, dossier.title):
        if not edition.allows(Key.EXPERT_TITLE_GP, gp, dossier.title):
            raise RuleBroken("pool.title", "EXP-08")
        if not edition.allows(Key.EXPERT_YEARS_GP, gp, dossier.years):
            raise RuleBroken("pool.years", "EXP-08", years=edition.count(Key.EXPERT_YEARS_GP, gp))
    age = age_on(date.fromisoformat(dossier.birth), candidate.today)
    if not edition.allows(Key.EXPERT_AGE_GP, gp, age):
        raise RuleBroken("pool.age", "EXP-08", age=edition.count(Key.EXPERT_AGE_GP, gp))
    years = edition.count(Key.EXPERT_CLEAN_GP, gp)
    if any(candidate.today < after_years(day, years) for day in candidate.punished):
        raise RuleBroken("pool.record", "EXP-08", years=years)


def needs_recommendation(edition: Edition, regime: Regime) -> bool:
    """Whether the employer must recommend the applicant before a regulator looks at him (EXP-27)."""
    return edition.has(Key.EXPERT_RECOMMENDED_TL, regime) and edition.flag(Key.EXPERT_RECOMMENDED_TL, regime)


def last_day(edition: Edition, regime: Regime, birth: date, today: date) -> date:
    """Return the last day of an appointment: the term of the edition, or the day before the age limit if sooner."""
    term = after_years(today, edition.count(Key.EXPERT_TERM, regime))
    if not edition.has(Key.EXPERT_AGE_GP, regime):
        return term
    limit = after_years(birth, edition.count(Key.EXPERT_AGE_GP, regime))
    return min(term, limit - timedelta(days=1))
