"""Strata: specialty of the procurement catalogue × region level; what their ids say in both languages.

The specialties are those of the classification of evaluation experts by the purchase catalogue (品目); a stratum that
is not listed here is shown by its id.
"""

from __future__ import annotations

from typing import Final

_SPECIALTIES: Final = {
    "A0201": ("信息化设备", "Information technology equipment"),
    "A0202": ("办公设备", "Office equipment"),
    "A0203": ("车辆", "Vehicles"),
    "A0320": ("医疗设备", "Medical equipment"),
    "A0334": ("教学仪器设备", "Teaching equipment"),
    "A0501": ("家具", "Furniture"),
    "B0300": ("房屋修缮", "Building maintenance"),
    "C1600": ("信息技术服务", "Information technology services"),
    "C2104": ("物业管理服务", "Property management"),
    "C2300": ("法律服务", "Legal services"),
    "C2302": ("财务审计", "Accounting and audit"),
}
_LEGAL: Final = "C2300"
_LEVELS: Final = {
    "P": ("省级", "province"),
    "C": ("本市", "city"),
    "N": ("邻近地区", "neighbouring region"),
}
#: Every stratum of this edition, in order.
STRATA: Final = tuple(sorted(f"{code}-{level}" for code in _SPECIALTIES for level in _LEVELS))


def stratum_title(stratum: str) -> tuple[str, str]:
    """Return the title of a stratum in Chinese and English; an unknown one is its own title."""
    code, _, level = stratum.partition("-")
    if code not in _SPECIALTIES or level not in _LEVELS:
        return stratum, stratum
    (zh, en), (where_zh, where_en) = _SPECIALTIES[code], _LEVELS[level]
    return f"{zh}（{where_zh}）", f"{en} ({where_en})"


def is_legal(stratum: str | None) -> bool:
    """Say whether a stratum is one of experts in law (EXP-05); None is the stratum of whoever was not drawn."""
    return stratum is not None and stratum.partition("-")[0] == _LEGAL
