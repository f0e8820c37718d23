"""What the demonstration buys, and what each bidder asks for it: two lots, two methods of evaluation.

Of the first lot one bid is replaced, one withdrawn and made anew, and one is above the ceiling. Of the second lot one
bidder does not reveal its factor, and its bid stays sealed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agents.bid.quoting import Template, TemplateItem, quote
from trading.demo import cast
from trading.kernel.money import Money, format_money

STAGE: Final = "all"
WINDOWS: Final = {
    "factor_window_ms": 1_800_000,
    "objection_ms": 600_000,
    "share_check_ms": 600_000,
    "release_window_ms": 900_000,
    "rescue_ms": 900_000,
}
_ITEM: Final = ("code", "name_zh", "name_en", "quantity", "unit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What one bidder asks: a unit price (yuan) for each item, days of delivery, and its claim to be a small one."""

    unit_prices: tuple[str, ...]
    delivery_days: int
    sme: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lot:
    """One lot; ``ceiling`` and ``budget`` in fen, ``quotes`` by the key of the bidder."""

    number: str
    title_zh: str
    title_en: str
    items: tuple[tuple[str, str, str, str, str], ...]
    ceiling: int
    method: str
    quotes: Mapping[str, Quote]
    criteria: tuple[Mapping[str, Any], ...] | None = None
    silent: tuple[str, ...] = ()  # bidders that do not reveal their factor
    replaced: Mapping[str, Quote] = field(default_factory=dict)

    @property
    def place(self) -> tuple[str, str]:
        """Return number and stage."""
        return self.number, STAGE

    @property
    def bidders(self) -> tuple[cast.Organisation, ...]:
        """Return who bids for the lot."""
        return tuple(each for each in cast.BIDDERS if each.key in self.quotes)

    def price(self, bidder: str, *, replaced: bool = False) -> dict[str, Any]:
        """Return the content of a bidder's price file, as ``mingbiao bid price`` computes it."""
        asked = self.replaced[bidder] if replaced else self.quotes[bidder]
        items = tuple(
            TemplateItem(code=code, name=name, quantity=quantity, unit=unit)
            for code, name, _, quantity, unit in self.items
        )
        codes = [item.code for item in items]
        terms = {"delivery_days": asked.delivery_days, "sme": asked.sme}
        template = Template(currency="CNY", ceiling=self.ceiling, items=items)
        return quote(template, dict(zip(codes, asked.unit_prices, strict=True)), terms)

    def standing_total(self, bidder: str) -> int:
        """Return the total (fen) of the version that stands at the deadline."""
        total: int = self.price(bidder, replaced=bidder in self.replaced)["total"]
        return total

    def specification(self) -> dict[str, Any]:
        """Return the lot as the agency drafts it."""
        return {
            "budget": self.ceiling,
            "category": "goods",
            "ceiling": self.ceiling,
            "criteria": None if self.criteria is None else [dict(each) for each in self.criteria],
            "currency": "CNY",
            "items": [dict(zip(_ITEM, item, strict=True)) for item in self.items],
            "lot": self.number,
            "method": self.method,
            "preference": {"small_micro": "10", "consortium": "4"},
            "tie_rule": "price_identity_lottery",
            "title_en": self.title_en,
            "title_zh": self.title_zh,
        }


def _criterion(
    name: str,
    kind: str,
    most: str,
    titles: tuple[str, str],
    texts: tuple[str, str],
    **more: Any,  # noqa: ANN401
) -> dict[str, Any]:
    plain = {"id": name, "kind": kind, "max": most, "step": "0.5", "bands": []}
    return {**plain, "title_zh": titles[0], "title_en": titles[1], "text_zh": texts[0], "text_en": texts[1], **more}


def _band(start: str, end: str | None, points: str, texts: tuple[str, str]) -> dict[str, Any]:
    return {"from": start, "to": end, "points": points, "text_zh": texts[0], "text_en": texts[1]}


_CRITERIA: Final = (
    _criterion(
        "price",
        "price",
        "40",
        ("报价", "Price"),
        ("最低评标价 ÷ 评标价 × 40", "Lowest evaluated price ÷ evaluated price × 40"),
    ),
    _criterion(
        "delivery",
        "objective",
        "20",
        ("交货期（天）", "Days of delivery"),
        ("按投标文件载明的天数计分", "By the days stated in the bid"),
        bands=[
            _band("0", "21", "20", ("不超过 20 天", "At most 20 days")),
            _band("21", "31", "12", ("21 至 30 天", "21 to 30 days")),
            _band("31", None, "4", ("31 天以上", "31 days or more")),
        ],
    ),
    _criterion(
        "technical",
        "subjective",
        "40",
        ("技术方案", "Technical proposal"),
        ("结构安全、环保等级、调节方式、样品照片", "Safety, emissions, adjustment, pictures of samples"),
    ),
)

FURNITURE: Final = Lot(
    number="1",
    title_zh="十四间教室课桌椅",
    title_en="Furniture for 14 classrooms",
    items=(
        ("A05010201", "可调高度课桌椅", "Height-adjustable school desk and chair", "420", "套"),
        ("A05010301", "讲台", "Teacher's desk", "14", "张"),
    ),
    ceiling=150_000_00,
    method="comprehensive_scoring",
    criteria=_CRITERIA,
    quotes={
        "qinghe": Quote(unit_prices=("290.00", "485.00"), delivery_days=20),
        "bolin": Quote(unit_prices=("286.50", "437.50"), delivery_days=25, sme="small_micro"),
        "yunfan": Quote(unit_prices=("298.20", "482.50"), delivery_days=18),
        "songtao": Quote(unit_prices=("345.00", "507.00"), delivery_days=15),
        "mingde": Quote(unit_prices=("289.00", "422.50"), delivery_days=35),
    },
    replaced={"qinghe": Quote(unit_prices=("285.00", "448.00"), delivery_days=20)},
)
DISPLAYS: Final = Lot(
    number="2",
    title_zh="十四间教室交互式显示设备",
    title_en="Interactive displays for 14 classrooms",
    items=(("A02020805", "86 英寸交互式显示设备", "86-inch interactive display", "14", "台"),),
    ceiling=180_000_00,
    method="lowest_evaluated_price",
    quotes={
        "qinghe": Quote(unit_prices=("11980.00",), delivery_days=20),
        "bolin": Quote(unit_prices=("11450.50",), delivery_days=25, sme="small_micro"),
        "yunfan": Quote(unit_prices=("11120.00",), delivery_days=18),
        "mingde": Quote(unit_prices=("10999.00",), delivery_days=30),
    },
    silent=("mingde",),
)
LOTS: Final = (FURNITURE, DISPLAYS)

_TEXT_EN: Final = (
    "Open tender for school furniture and displays. Bids are sealed on the bidder's own machine and opened by any "
    "three of five custodians together with the bidder. After the opening the price ciphertexts and the identities "
    "that open them are public, so that everybody can check every price that was read out."
)
_TEXT_ZH: Final = (
    "课桌椅和显示设备公开招标。投标文件在投标人自己的计算机上密封，须由五家保管方中的任意三家与投标人共同开启。"
    "开标后公布报价部分的密文及其解密标识，任何人都可以核对每一个唱标价格。"
)


def specification(*, close: int, jurisdiction: str) -> dict[str, Any]:
    """Return what the agency drafts; ``close`` is the deadline in ms."""
    return {
        "agency": cast.AGENCY.code,
        "bid_validity_days": 90,
        "buyer": cast.BUYER.code,
        "close": close,
        "documents": [],
        "jurisdiction": jurisdiction,
        "kind": "open_tender_gp",
        "lots": [lot.specification() for lot in LOTS],
        "questions_until": None,
        "sealing": {"bidder_factor": True, "k": 3, "n": 5, "price_bytes": 4096},
        "supervisor": cast.SUPERVISOR.code,
        "supply_ends_at": None,
        "text_en": _TEXT_EN,
        "text_zh": _TEXT_ZH,
        "title_en": "School furniture and displays, Linjiang No. 2 Primary School",
        "title_zh": "临江县第二小学课桌椅及显示设备采购",
        "windows": WINDOWS,
    }


def shown(amount: int) -> str:
    """Return an amount in fen as people read it."""
    return format_money(Money(minor=amount, currency="CNY"))
