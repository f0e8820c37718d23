"""Who takes part in the demonstration: invented organisations with well-formed codes, and what is bought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from trading.kernel.credit_code import check_character

_REGION: Final = "110108"  # the codes are invented: nobody is registered under them
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """One organisation of the play; ``seat`` is its role as a custodian, if it is one."""

    key: str
    code: str
    name_zh: str
    name_en: str
    roles: tuple[str, ...]
    seat: str | None = None


def _code(kind: str, number: int) -> str:
    body = f"{kind}{_REGION}MA0DEMO{number:02d}".replace("O", "0")[:17].ljust(17, "0")
    return body + check_character(body)


def _organisation(
    number: int, key: str, zh: str, en: str, roles: tuple[str, ...], seat: str | None = None
) -> Organisation:
    kind = "91" if "bidder" in roles else "12"
    return Organisation(key=key, code=_code(kind, number), name_zh=zh, name_en=en, roles=roles, seat=seat)


BUYER: Final = _organisation(1, "buyer", "临江县教育局", "Linjiang County Education Bureau", ("buyer",))
AGENCY: Final = _organisation(
    2, "agency", "临江县政府采购中心", "Linjiang Procurement Agency", ("agency", "custodian"), "agency"
)
CENTRE: Final = _organisation(
    3, "centre", "临江公共资源交易中心", "Linjiang Trading Centre", ("centre", "custodian"), "operator"
)
SUPERVISOR: Final = _organisation(
    4, "supervisor", "临江县财政局", "Linjiang Finance Bureau", ("supervisor", "custodian"), "supervisor"
)
NOTARY: Final = _organisation(5, "notary", "临江公证处", "Linjiang Notary Office", ("custodian",), "notary")
ASSOCIATION: Final = _organisation(
    6, "association", "江北省采购协会", "Jiangbei Procurement Association", ("custodian",), "association"
)
CUSTODIANS: Final = (AGENCY, CENTRE, SUPERVISOR, NOTARY, ASSOCIATION)

BIDDERS: Final = (
    _organisation(11, "qinghe", "清河课桌椅有限公司", "Qinghe School Furniture Co.", ("bidder",)),
    _organisation(12, "bolin", "柏林家具制造有限公司", "Bolin Furniture Works", ("bidder",)),
    _organisation(13, "yunfan", "云帆教育装备有限公司", "Yunfan Education Equipment", ("bidder",)),
    _organisation(14, "songtao", "松涛木业有限公司", "Songtao Timber Co.", ("bidder",)),
    _organisation(15, "mingde", "明德校服装备有限公司", "Mingde School Supplies", ("bidder",)),
)


def numbered_bidder(number: int) -> Organisation:
    """Return one of many bidders of a replay, from 0."""
    return _organisation(
        20 + number, f"bidder-{number:02d}", f"历史投标人 {number + 1}", f"Past bidder {number + 1}", ("bidder",)
    )


CEILING: Final = 150_000_00


_TEXT_EN: Final = (
    "Open tender for school furniture. Bids are sealed on the bidder's own machine and opened by any three of five "
    "custodians together with the bidder. After the opening the price ciphertexts and the identities that open them "
    "are public, so that everybody can check every price that was read out."
)
_TEXT_ZH: Final = (
    "课桌椅公开招标。投标文件在投标人自己的计算机上密封，须由五家保管方中的任意三家与投标人共同开启。"
    "开标后公布报价部分的密文及其解密标识，任何人都可以核对每一个唱标价格。"
)
_ITEMS: Final = (
    ("A05010201", "可调高度课桌椅", "Height-adjustable school desk and chair", "420", "套"),
    ("A05010301", "讲台", "Teacher's desk", "14", "张"),
)


def specification(*, close: int, windows: dict[str, int], jurisdiction: str = "demo.ranking") -> dict[str, Any]:
    """Return what the agency drafts: one lot of school furniture, deadline ``close`` (ms).

    The jurisdiction says whether a committee evaluates: it does not under the demonstration rules ``demo.ranking``, and
    it must under ``cn``.
    """
    names = ("code", "name_zh", "name_en", "quantity", "unit")
    lot = {
        "ceiling": CEILING,
        "currency": "CNY",
        "items": [dict(zip(names, item, strict=True)) for item in _ITEMS],
        "lot": "1",
        "method": "lowest_evaluated_price",
        "tie_rule": "price_identity_lottery",
        "title_en": "Furniture for 14 classrooms",
        "title_zh": "十四间教室课桌椅",
    }
    return {
        "agency": AGENCY.code,
        "buyer": BUYER.code,
        "close": close,
        "jurisdiction": jurisdiction,
        "kind": "open_tender_gp",
        "lots": [lot],
        "sealing": {"bidder_factor": True, "k": 3, "n": 5, "price_bytes": 4096},
        "supervisor": SUPERVISOR.code,
        "supply_ends_at": None,
        "text_en": _TEXT_EN,
        "text_zh": _TEXT_ZH,
        "title_en": "School furniture, Linjiang No. 2 Primary School",
        "title_zh": "临江县第二小学课桌椅采购",
        "windows": windows,
    }
