"""What an applicant tells of himself: personal data, of which every record carries a salted digest alone (ADR 0066).

The fields are those that EXP-07, EXP-08 and EXP-16 ask for: title and years, employer, and what binds to recuse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Final

from typing_extensions import override

from trading.experts.rules import fields as ed1
from trading.experts.rules.specialties import specialty_code
from trading.kernel import fields
from trading.kernel.credit_code import is_credit_code
from trading.kernel.digests import POOL_DOSSIER, POOL_NOTE, tuple_hash
from trading.kernel.errors import InvalidInput

_ABSENCE: Final = ("away_from", "away_until")
MOST_SPECIALTIES: Final = 12
MOST_LISTED: Final = 20
JUNIOR, MIDDLE, SENIOR = 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """One person. Never printed.

    Attributes:
        account: Of the person on this platform, or None.
        away_from: ISO date of the first day on which he cannot evaluate, or None; always together with ``away_until``.
        away_until: ISO date of the last such day.
        birth: ISO date.
        employer: Unified social credit code of the present employer.
        employers: Codes of every employer of the last three years (EXP-16).
        identity_no: Number of the identity document.
        region: Six digits of GB/T 2260.
        relatives: Codes of suppliers that near relatives head (EXP-15, EXP-16).
        specialties: Codes of the specialty tree, ascending.
        title: Rank of the professional title: 1 junior, 2 middle, 3 senior.
        trained: ISO date of the newest training, or None.
        years: Whole years of work in the field.
    """

    account: str | None
    available: bool
    birth: str
    employer: str
    employer_name: str
    employers: tuple[str, ...]
    identity_no: str
    mail: str
    name: str
    phone: str
    region: str
    relatives: tuple[str, ...]
    specialties: tuple[str, ...]
    title: int
    title_name: str
    trained: str | None
    years: int
    away_from: str | None = None
    away_until: str | None = None

    @override
    def __repr__(self) -> str:
        """Name nobody."""
        return "Dossier(…)"

    def encode(self) -> str:
        """Return the canonical text that is kept and committed to; raises ``ValueError`` where a field does not fit."""
        body = asdict(self) | {name: list(getattr(self, name)) for name in ("employers", "relatives", "specialties")}
        for name in _ABSENCE:
            if body[name] is None:
                del body[name]
        return DOSSIER.write(body).decode()

    @classmethod
    def decode(cls, text: str) -> Dossier:
        """Return what ``encode`` wrote; raises ``InvalidInput``."""
        found = cls(**DOSSIER.read(text.encode()))
        if (found.away_from is None) != (found.away_until is None) or (found.away_from or "") > (
            found.away_until or ""
        ):
            raise InvalidInput("doc.bad_field", "mb.pool-dossier: an absence has a first and a last day, in this order")
        return found


def iso_date(value: object) -> str:
    """Read an ISO date."""
    return date.fromisoformat(fields.text(value)).isoformat()


def identity_number(value: object) -> str:
    """Read an identity number of GB 11643: 18 characters, the last one checks the others."""
    number = fields.matching(r"[1-9][0-9]{16}[0-9X]")(value)
    total = sum(int(digit) * 2 ** (17 - place) for place, digit in enumerate(number[:17]))
    if "10X98765432"[total % 11] != number[17]:
        raise ValueError("the check character does not fit")
    return str(number)


def credit_code(value: object) -> str:
    """Read a unified social credit code of GB 32100."""
    code = fields.text(value)
    if not is_credit_code(code):
        raise ValueError("no credit code")
    return code


def _short(most: int) -> Callable[[object], str]:
    return fields.matching(rf"\S(?:[^\x00-\x1f]{{0,{most - 2}}}\S)?")


region_code = fields.matching(r"[1-9][0-9]{5}")

DOSSIER: Final = fields.Table(
    "mb.pool-dossier",
    {
        "account": fields.nullable(fields.text),
        "available": fields.flag,
        "birth": iso_date,
        "employer": credit_code,
        "employer_name": _short(120),
        "employers": fields.sorted_by(fields.itself, credit_code, most=MOST_LISTED),
        "identity_no": identity_number,
        "mail": fields.matching(r"[^@\s]{1,64}@[^@\s]{1,190}"),
        "name": _short(40),
        "phone": fields.matching(r"\+?[0-9][0-9 -]{5,30}"),
        "region": region_code,
        "relatives": fields.sorted_by(fields.itself, credit_code, most=MOST_LISTED),
        "specialties": fields.sorted_by(fields.itself, specialty_code, least=1, most=MOST_SPECIALTIES),
        "title": fields.integer(JUNIOR, SENIOR),
        "title_name": _short(40),
        "trained": fields.nullable(iso_date),
        "years": fields.integer(0, 80),
        "away_from": iso_date,
        "away_until": iso_date,
    },
    optional=frozenset(_ABSENCE),
    limit=16384,
)


def dossier_commit(salt: bytes, body: str) -> bytes:
    """Return what records say of a dossier; the view ``record.kept_dossier`` computes the same from the row."""
    return tuple_hash(POOL_DOSSIER, salt, body.encode())


def note_commit(salt: bytes, text: str) -> bytes:
    """Return what records say of a reason; the view ``record.kept_note`` computes the same from the row."""
    return tuple_hash(POOL_NOTE, salt, text.encode())


def strata_of(specialties: tuple[str, ...], levels: tuple[str, ...]) -> tuple[str, ...]:
    """Return the strata of the draw (ED1 D3): every specialty at every region level, ascending."""
    found = sorted(f"{code}-{level}" for code in specialties for level in levels)
    return tuple(str(ed1.stratum_id(each)) for each in found)
