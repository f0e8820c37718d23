"""The specialty tree: the unified classification of experts (EXP-27) as a versioned document that can be imported."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from typing import Any, Final

from trading.kernel import fields
from trading.kernel.errors import InvalidInput, RuleBroken

MOST_NODES: Final = 5_000
specialty_code = fields.matching(r"[A-Z][0-9]{2,8}")
COLUMNS: Final = ("code", "parent", "title_zh", "title_en")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One specialty; ``parent`` is empty for a branch of its own."""

    code: str
    parent: str
    title_en: str
    title_zh: str


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A version of the classification. ``source`` says where it comes from, in print."""

    raw: bytes
    nodes: tuple[Node, ...]
    source: str
    version: int

    @cached_property  # asked for each of a hundred thousand rows of an import, and for each choice of a form
    def by_code(self) -> Mapping[str, Node]:
        """Return the nodes by code."""
        return {node.code: node for node in self.nodes}

    @cached_property
    def leaves(self) -> frozenset[str]:
        """Return the codes in which an expert may be qualified: those without children."""
        return frozenset(node.code for node in self.nodes) - {node.parent for node in self.nodes}

    def lines(self) -> list[tuple[int, Node]]:
        """Return (depth, node) with every child below its parent, for a page."""
        children: dict[str, list[Node]] = {}
        for node in self.nodes:
            children.setdefault(node.parent, []).append(node)
        found: list[tuple[int, Node]] = []

        def walk(parent: str, depth: int) -> None:
            for node in children.get(parent, ()):
                found.append((depth, node))
                walk(node.code, depth + 1)

        walk("", 0)
        return found


_NODE: Final = fields.record(
    {
        "code": specialty_code,
        "parent": fields.matching(r"(?:[A-Z][0-9]{0,8})?"),
        "title_en": fields.matching(r"\S[^\x00-\x1f]{0,119}"),
        "title_zh": fields.matching(r"\S[^\x00-\x1f]{0,59}"),
    },
    Node,
)
TREE: Final = fields.Table(
    "mb.specialty-tree",
    {
        "nodes": fields.sorted_by(lambda node: node.code, _NODE, least=1, most=MOST_NODES),
        "source": fields.matching(r"\S[^\x00-\x1f]{0,299}"),
        "version": fields.integer(1),
    },
)


def parse_tree(raw: bytes) -> Tree:
    """Admit a tree.

    Raises:
        InvalidInput: ``doc.…``.
        RuleBroken: ``specialty.parent``: a parent that is not in the tree, or does not begin the code of its child,
            which also makes a circle impossible.
    """
    tree = Tree(raw=raw, **TREE.read(raw))
    known = tree.by_code
    for node in tree.nodes:
        if node.parent and (
            node.parent not in known or not node.code.startswith(node.parent) or node.parent == node.code
        ):
            raise RuleBroken("specialty.parent", "EXP-27", specialty=node.code)
    return tree


def make_tree(rows: Iterable[Mapping[str, Any]], *, version: int, source: str) -> Tree:
    """Return a tree of rows with the columns ``COLUMNS``.

    Raises:
        RuleBroken: ``specialty.row`` (a row that is no node), ``specialty.double``, ``specialty.parent``.
    """
    nodes = []
    for number, row in enumerate(rows, 2):  # the first line has the names of the columns
        node = {name: str(row.get(name) or "").strip() for name in COLUMNS}
        try:
            _NODE(node)
        except ValueError as error:
            raise RuleBroken("specialty.row", "EXP-27", row=number) from error
        nodes.append(node)
    codes = [node["code"] for node in nodes]
    if len(set(codes)) < len(codes):
        double = next(code for code in codes if codes.count(code) > 1)
        raise RuleBroken("specialty.double", "EXP-27", specialty=double)
    body = {"nodes": sorted(nodes, key=lambda node: node["code"]), "source": source, "version": version}
    try:
        raw = TREE.write(body)
    except ValueError as error:
        raise InvalidInput("specialty.tree", str(error)) from error
    return parse_tree(raw)


def require_known(tree: Tree, specialties: Sequence[str]) -> None:
    """Refuse a specialty that is not a leaf of the tree.

    Raises:
        RuleBroken: ``pool.specialty``.
    """
    if unknown := sorted(set(specialties) - tree.leaves):
        raise RuleBroken("pool.specialty", "EXP-27", specialty=unknown[0])


def _seed() -> Tree:
    text = (resources.files("trading.experts") / "data" / "specialties.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(io.StringIO(text))
    return make_tree(
        rows, version=1, source="政府采购品目分类目录（节选，未核实） / part of the purchase catalogue, not verified"
    )


#: What a new installation begins with.
SEED: Final = _seed()
