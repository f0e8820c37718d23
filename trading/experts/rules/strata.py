"""Strata: a node of the specialty tree × region level; what their ids say in both languages, and who stands in them.

A plan may name any node of the tree in force (EXP-27). An expert is qualified in leaves; a stratum of an inner node is
that of everybody qualified below it. The code of a node begins the codes of all nodes below it, so the ids alone tell.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from trading.experts.rules.specialties import SEED, Tree
from trading.kernel.errors import RuleBroken

_LEGAL: Final = "C2300"
_TITLES: Final = {
    "P": ("省级", "province"),
    "C": ("本市", "city"),
    "N": ("邻近地区", "neighbouring region"),
}
LEVELS: Final = tuple(_TITLES)
#: Rule version of specs whose strata are leaves alone: an id is then met by itself and by nothing else.
EXACT: Final = "mb-experts-1"


def strata_of_tree(tree: Tree) -> tuple[str, ...]:
    """Return every stratum that a plan may name, with every node below its parent."""
    return tuple(f"{node.code}-{level}" for _depth, node in tree.lines() for level in LEVELS)


def require_known(tree: Tree, strata: Collection[str]) -> None:
    """Refuse a stratum whose specialty is not in the tree, or whose region level is none.

    Raises:
        RuleBroken: ``committee.specialty``.
    """
    known = tree.by_code
    for stratum in sorted(strata):
        code, _, level = stratum.partition("-")
        if code not in known or level not in _TITLES:
            raise RuleBroken("committee.specialty", "EXP-27", specialty=stratum)


def stratum_title(stratum: str, tree: Tree = SEED) -> tuple[str, str]:
    """Return the title of a stratum in Chinese and English; an unknown one is its own title."""
    code, _, level = stratum.partition("-")
    node = tree.by_code.get(code)
    if node is None or level not in _TITLES:
        return stratum, stratum
    where_zh, where_en = _TITLES[level]
    return f"{node.title_zh}（{where_zh}）", f"{node.title_en} ({where_en})"


def is_legal(stratum: str | None) -> bool:
    """Say whether a stratum is one of experts in law (EXP-05); None is the stratum of whoever was not drawn."""
    return stratum is not None and stratum.partition("-")[0].startswith(_LEGAL)


def meets(stratum: str, wanted: str) -> bool:
    """Say whether who is qualified in a stratum stands in a wanted one: the same, or its node is above in the tree."""
    (code, _, level), (node, _, where) = stratum.partition("-"), wanted.partition("-")
    return level == where and code.startswith(node)


def wanted_of(strata: Collection[str], wanted: Collection[str], *, exact: bool = False) -> frozenset[str]:
    """Return in which wanted strata somebody stands who is qualified in ``strata``; each of them once (ED1 D3)."""
    if exact:
        return frozenset(strata) & frozenset(wanted)
    return frozenset(each for each in wanted if any(meets(stratum, each) for stratum in strata))


def counted(active: Mapping[str, int], wanted: Collection[str]) -> dict[str, int]:
    """Return at most how many stand in each wanted stratum; who is qualified twice below a node counts twice."""
    return {each: sum(count for stratum, count in active.items() if meets(stratum, each)) for each in wanted}
