"""The pool of experts of the demonstration: five hundred invented people, each with an account and an employer."""

from __future__ import annotations

from typing import Final

from trading.experts.rules.identity import Identity
from trading.experts.rules.register import Item

FURNITURE: Final = "A0501-C"
EQUIPMENT: Final = "A0201-C"
SIZE: Final = 500
_FAMILIES: Final = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许"
_GIVEN: Final = "文明志远建国海英晓峰立新思源嘉禾雨桐子墨景行"
_EMPLOYERS: Final = 200  # several experts work at the same place, as in a real pool


def login_of(number: int) -> str:
    """Return the login of an expert."""
    return f"expert{number:03d}"


def pool_number(number: int) -> str:
    """Return the number under which the register knows an expert."""
    return f"E{number:06d}"


def item(number: int) -> Item:
    """Return an expert as the register keeps it: no name."""
    strata = (FURNITURE,) if number % 2 else (EQUIPMENT,)
    unit = f"U{number % _EMPLOYERS:05d}"
    return Item(id=pool_number(number), strata=strata, unit=unit)


def identity(number: int, account: str) -> Identity:
    """Return who that is, to be sealed to the contact service at once."""
    name = _FAMILIES[number % len(_FAMILIES)] + _GIVEN[2 * (number // len(_FAMILIES)) % len(_GIVEN) :][:2]
    return Identity(
        name=name,
        mail=f"{login_of(number)}@experts.example",
        phone=f"139{number:08d}",
        employer=f"江北第{number % _EMPLOYERS + 1}设计院",
        account=account,
    )
