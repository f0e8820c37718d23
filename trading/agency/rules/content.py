"""What a drafter typed: texts as entered, nothing lost, whether or not it can stand as a specification yet."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from enum import StrEnum
from typing import Any, Final, TypeAlias

from trading.procedures.rules.extension import MEASURED

#: Section to what was typed there; only texts, lists and objects of texts.
Content: TypeAlias = dict[str, Any]


class Step(StrEnum):
    """The steps of the form, in their order."""

    SUBJECT = "subject"
    LOTS = "lots"
    METHOD = "method"
    DATES = "dates"
    SEALING = "sealing"
    DOCUMENTS = "documents"


#: The kind of a draft in which none was chosen.
USUAL_KIND: Final = "open_tender_gp"

_LOT: Final[Mapping[str, Any]] = {
    "title_zh": "",
    "title_en": "",
    "category": "goods",
    "budget": "",
    "ceiling": "",
    "currency": "CNY",
    "method": "lowest_evaluated_price",
    "tie_rule": "price_identity_lottery",
    "items": [],
    "criteria": [],
    "small_micro": "",
    "consortium": "",
    "domestic": "",
    "abnormal_mean": "",
    "abnormal_second_lowest": "",
    "abnormal_ceiling": "",
    "factors": "",
    "benchmarks": [],
    "reduction": "",
    "ceiling_reduction": "",
    "ceiling_weight": "",
    "band": "",
    "trim": "",
    "above": "",
    "below": "",
    "floor": "",
    "ties": "price, technical",
    "technical": "",
    "masked": "",
}
ITEM: Final[Mapping[str, str]] = {"code": "", "name_zh": "", "name_en": "", "quantity": "", "unit": ""}
CRITERION: Final[Mapping[str, str]] = {
    "id": "",
    "kind": "subjective",
    "max": "",
    "step": "",
    "title_zh": "",
    "title_en": "",
    "text_zh": "",
    "text_en": "",
    "bands": "",
}
#: How quantified deviations are typed: name, unit, value of each unit, both texts.
FACTORS_SAMPLE: Final = """payment | percent | 0.5 | 付款每提前一个月 | each month of earlier payment
delay | amount | 20000 | 工期每延长一日 | each day of a later completion"""
#: How the table of what a mean leaves out is typed: from so many quotes on, so many highest and lowest.
TRIM_SAMPLE: Final = """5: 1, 0
7: 1, 1"""
#: How intervals of an objective criterion are typed: from, to, points, both texts; the last one has no end.
BANDS_SAMPLE: Final = """0-12: 2 | 质保不足十二个月 | warranty under twelve months
12-: 5 | 质保十二个月以上 | warranty of twelve months or more"""
_TEXT_ZH: Final = """一、采购需求


二、投标人资格要求


三、获取招标文件
招标文件在本平台本项目页面免费下载，不需要登录或报名。

四、联系方式
"""
_TEXT_EN: Final = """1. What is needed


2. Who may bid


3. Tender documents
Free of charge on the page of this procedure; no sign-in and no registration for the tender is needed.

4. Contact
"""


def new_content() -> Content:
    """Return an empty draft with one lot and the headings that a notice needs (NOT-04)."""
    return {
        "subject": {
            "kind": USUAL_KIND,
            "title_zh": "",
            "title_en": "",
            "text_zh": _TEXT_ZH,
            "text_en": _TEXT_EN,
            "buyer": "",
            "supervisor": "",
        },
        "lots": [new_lot()],
        "dates": {
            "issue_day": "",
            "close_day": "",
            "close_time": "10:00",
            "supply_day": "",
            "questions_day": "",
            "validity_days": "90",
            "extension": "yes",
            "triggers": list(MEASURED),
            "extend_minutes": "",
            "intake": "",
        },
        "sealing": {"bidder_factor": "yes", "k": "3", "n": "5"},
    }


def new_lot() -> dict[str, Any]:
    """Return an empty lot."""
    return deepcopy(dict(_LOT))
