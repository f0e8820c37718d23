"""From TOML files to editions. A row that says too little is refused at load, so no procedure ever meets a gap.

Refused (``ValueError``: a bug in the data): rows of one key that overlap or leave a gap, an override that changes a
unit, a key that no national row ever sets, and what ``rows`` refuses in a single row.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import pairwise
from typing import Any, Final

from trading.kernel import canonical
from trading.kernel.calendar import CHINA, WorkCalendar
from trading.rulebook.keys import Key
from trading.rulebook.model import Edition, Parameter, Rule, Unit
from trading.rulebook.rows import check_fields, parameter_of, rule_of

NATIONAL: Final = "cn"
_VERSION: Final = 1
_FILE_FIELDS: Final = frozenset({"schema_version", "jurisdiction", "title_zh", "title_en", "parameter"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Jurisdiction:
    """The rows of one file set: the national ones, or those of a jurisdiction that differ from them."""

    code: str
    title_zh: str
    title_en: str
    rows: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """All rules and rows that were loaded."""

    rules: Mapping[str, Rule]
    jurisdictions: Mapping[str, Jurisdiction]

    def newest(self, code: str) -> Edition:
        """Return the edition after the last change that is entered, be it in the future."""
        rows = (*self.jurisdictions[NATIONAL].rows, *self.jurisdictions[code].rows)
        return self.edition_on(code, max(_changes(rows, date.max)))

    def restore(self, document: bytes) -> Edition:
        """Return the edition of a stored ``mb.edition``, whatever rows have been entered since.

        Values, units, rules and sources are those of the document; what it does not hold (regime, comparison, titles)
        comes from the rows of the same key. ``Edition.document`` of the result is ``document`` again.

        Raises:
            InvalidInput: The bytes are not canonical.
            ValueError: A key that this product does not know: the document is not one of its own.
        """
        body = canonical.loads_object(document)
        own = self.jurisdictions.get(body["jurisdiction"], self.jurisdictions[NATIONAL])
        known = {row.key: row for row in (*self.jurisdictions[NATIONAL].rows, *own.rows)}
        rows = {Key(row["key"]): _restored(known[Key(row["key"])], row) for row in body["parameters"]}
        return Edition(
            id=body["id"],
            jurisdiction=body["jurisdiction"],
            title_zh=own.title_zh,
            title_en=own.title_en,
            parameters=rows,
        )

    def edition_on(self, code: str, day: date) -> Edition:
        """Return what is in force in jurisdiction ``code`` on ``day``; an unknown code is a ``ValueError``."""
        if code not in self.jurisdictions:
            raise ValueError(f"no jurisdiction {code}")
        own = self.jurisdictions[code]
        rows = {row.key: row for row in self.jurisdictions[NATIONAL].rows if row.holds_on(day)}
        rows |= {row.key: row for row in own.rows if row.holds_on(day)}
        newest = max(_changes((*self.jurisdictions[NATIONAL].rows, *own.rows), day))
        return Edition(
            id=f"{code}.{newest.isoformat()}",
            jurisdiction=code,
            title_zh=own.title_zh,
            title_en=own.title_en,
            parameters=rows,
        )


def _restored(row: Parameter, stored: Mapping[str, Any]) -> Parameter:
    return replace(
        row,
        value=stored["value"],
        unit=Unit(stored["unit"]),
        rule=tuple(stored["rule"]),
        source=stored["source"],
    )


def _changes(rows: Iterable[Parameter], day: date) -> Iterator[date]:
    """Yield the days up to ``day`` on which a row began or had just ended."""
    for row in rows:
        if row.valid_from <= day:
            yield row.valid_from
        if row.valid_to is not None and row.valid_to < day:
            yield row.valid_to + timedelta(days=1)


@cache
def builtin() -> Rulebook:
    """Return the rule book that ships with the product, read once."""
    return load(resources.files("trading.rulebook") / "data")


@cache
def _builtin_edition(code: str, day: date) -> Edition:
    return builtin().edition_on(code, day)


def edition_at(jurisdiction: str, instant_ms: int) -> Edition:
    """Return the edition in force at an instant (ms); the day is that of China's zone.

    A procedure takes the edition of its publication and keeps it for life.
    """
    return _builtin_edition(jurisdiction, WorkCalendar(zone=CHINA, workdays={}).date_of(instant_ms))


def rule(rule_id: str) -> Rule:
    """Return the built-in rule ``rule_id``; ``ValueError`` if there is none."""
    if rule_id not in builtin().rules:
        raise ValueError(f"no rule {rule_id}")
    return builtin().rules[rule_id]


def load(data: Traversable, overrides: Traversable | None = None) -> Rulebook:
    """Read ``rules.toml``, ``national/`` and ``jurisdictions/`` under ``data``, and more jurisdictions if given.

    Raises:
        ValueError: See the module; the message names file and row.
    """
    rules = _rules(_read(data / "rules.toml"))
    national = _merge(_jurisdiction(path, rules) for path in _files(data / "national"))
    if set(national) != {NATIONAL}:
        raise ValueError(f"national rows belong to jurisdiction {NATIONAL}, found {sorted(national)}")
    folders = [data / "jurisdictions", *([overrides] if overrides is not None else [])]
    others = _merge(_jurisdiction(path, rules) for folder in folders for path in _files(folder))
    jurisdictions = national | others
    _check(jurisdictions)
    return Rulebook(rules=rules, jurisdictions=jurisdictions)


def _files(folder: Traversable) -> list[Traversable]:
    return sorted((path for path in folder.iterdir() if path.name.endswith(".toml")), key=lambda path: path.name)


def _read(path: Traversable) -> dict[str, Any]:
    body = tomllib.loads(path.read_text(encoding="utf-8"))
    if body.get("schema_version") != _VERSION:
        raise ValueError(f"{path.name}: schema_version is not {_VERSION}")
    return body


def _rules(body: dict[str, Any]) -> dict[str, Rule]:
    rules: dict[str, Rule] = {}
    for row in body["rule"]:
        rule_read = rule_of(row)
        if rule_read.id in rules:
            raise ValueError(f"rule {rule_read.id} twice")
        rules[rule_read.id] = rule_read
    return rules


def _jurisdiction(path: Traversable, rules: Mapping[str, Rule]) -> Jurisdiction:
    body = _read(path)
    check_fields(path.name, body, _FILE_FIELDS)
    return Jurisdiction(
        code=body["jurisdiction"],
        title_zh=body["title_zh"],
        title_en=body["title_en"],
        rows=tuple(parameter_of(f"{path.name}: {row.get('key')}", row, rules) for row in body["parameter"]),
    )


def _merge(parts: Iterable[Jurisdiction]) -> dict[str, Jurisdiction]:
    """Join the files of one jurisdiction; its titles must agree."""
    merged: dict[str, Jurisdiction] = {}
    for part in parts:
        before = merged.setdefault(part.code, part)
        if before is part:
            continue
        if (before.title_zh, before.title_en) != (part.title_zh, part.title_en):
            raise ValueError(f"two names for jurisdiction {part.code}")
        merged[part.code] = Jurisdiction(
            code=part.code, title_zh=part.title_zh, title_en=part.title_en, rows=before.rows + part.rows
        )
    return merged


def _check(jurisdictions: Mapping[str, Jurisdiction]) -> None:
    units = {row.key: row.unit for row in jurisdictions[NATIONAL].rows}
    unset = set(Key) - set(units)
    if unset:
        raise ValueError(f"no national row sets {sorted(unset)}")
    for jurisdiction in jurisdictions.values():
        by_key: dict[Key, list[Parameter]] = {}
        for row in jurisdiction.rows:
            by_key.setdefault(row.key, []).append(row)
            if row.unit is not units[row.key]:
                raise ValueError(f"{jurisdiction.code}: {row.key} is in {row.unit}, elsewhere in {units[row.key]}")
        for rows in by_key.values():
            _check_dates(jurisdiction.code, rows)


def _check_dates(code: str, rows: list[Parameter]) -> None:
    """Require that the rows of one key follow each other day by day."""
    ordered = sorted(rows, key=lambda row: row.valid_from)
    for row, following in pairwise(ordered):
        if row.valid_to is None or row.valid_to >= following.valid_from:
            raise ValueError(f"{code}: two rows of {row.key} overlap on {following.valid_from}")
        if row.valid_to + timedelta(days=1) != following.valid_from:
            raise ValueError(f"{code}: no row of {row.key} between {row.valid_to} and {following.valid_from}")
    for row in ordered:
        if row.valid_to is not None and row.valid_to < row.valid_from:
            raise ValueError(f"{code}: a row of {row.key} ends before it begins")
