"""What a function of the product can come to: names that it mentions, and those that these mention, and so on.

Read from the source, so that also what no test calls is seen. A name stands for everything that could be behind it: a
class for all its methods, a table of functions for all of them. So "reaches" means "may call", never "always calls".
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.repo.tree import files, name_of, tree_of

#: Ways of the ledger by which something is written, as they stand in the source: (object, method).
WAYS = {("uow", "record"), ("ledger", "refuse"), ("ledger", "upkeep")}


@dataclass
class Node:
    """One function, class or constant: the names that it mentions, and the ways of the ledger that it takes itself."""

    mentions: set[str] = field(default_factory=set)
    ways: set[str] = field(default_factory=set)


class Calls:
    """The graph of all modules given as syntax trees by their dotted names."""

    def __init__(self, modules: Mapping[str, ast.Module]) -> None:
        self._imports: dict[str, dict[str, str]] = {}
        self._nodes: dict[str, Node] = {}
        for module, tree in modules.items():
            self._imports[module] = dict(_imported(tree))
            for statement in tree.body:
                self._add(module, module, statement)
        self._callers: dict[str, set[str]] = defaultdict(set)
        for name, node in self._nodes.items():
            for mention in node.mentions:
                if (found := self._found(mention)) is not None:
                    self._callers[found].add(name)

    def _add(self, module: str, inside: str, statement: ast.stmt) -> None:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                self._nodes[f"{inside}.{name}"] = self._node(module, inside, statement)
            case ast.ClassDef(name=name):
                own = self._nodes.setdefault(f"{inside}.{name}", Node())
                for part in statement.body:
                    self._add(module, f"{inside}.{name}", part)
                    if isinstance(part, ast.FunctionDef):
                        own.mentions.add(f"{inside}.{name}.{part.name}")
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                self._nodes[f"{inside}.{name}"] = self._node(module, inside, statement)
            case _:
                pass

    def _node(self, module: str, inside: str, statement: ast.stmt) -> Node:
        node = Node()
        for part in ast.walk(statement):
            match part:
                case ast.Attribute(value=value, attr=method):
                    base = value.id if isinstance(value, ast.Name) else getattr(value, "attr", "")
                    if (base, method) in WAYS:
                        node.ways.add(f"{base}.{method}")
                    if base == "self":
                        node.mentions.add(f"{inside}.{method}")
                    node.mentions.add(f"{self._meant(module, base)}.{method}")
                case ast.Name(id=name):
                    node.mentions.add(self._meant(module, name))
                case _:
                    pass
        return node

    def _meant(self, module: str, name: str) -> str:
        return self._imports[module].get(name, f"{module}.{name}")

    def recording(self, ways: Container[str]) -> set[str]:
        """Return the names of everything that may come to one of these ways of the ledger."""
        return self._leading_to(name for name, node in self._nodes.items() if any(way in ways for way in node.ways))

    def calling(self, name: str) -> set[str]:
        """Return the names of everything that may come to a function."""
        return self._leading_to([name])

    def _leading_to(self, ends: Iterable[str]) -> set[str]:
        seen = set(ends)
        waiting = list(seen)
        while waiting:
            for caller in self._callers.get(waiting.pop(), ()):
                if caller not in seen:
                    seen.add(caller)
                    waiting.append(caller)
        return seen

    def _found(self, name: str) -> str | None:
        """Return the node of a name, followed through the modules that only pass it on."""
        for _ in range(5):
            if name in self._nodes:
                return name
            module, _dot, last = name.rpartition(".")
            passed = self._imports.get(module, {}).get(last)
            if passed is None:
                return None
            name = passed
        return None


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield every name that a module imports anywhere, and what it stands for."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(source), names=names):
                for alias in names:
                    yield alias.asname or alias.name, f"{source}.{alias.name}"
            case ast.Import(names=names):
                yield from ((alias.asname, alias.name) for alias in names if alias.asname)
            case _:
                pass


def calls_of_the_product() -> Calls:
    """Return the graph of the platform's own code."""
    found = {}
    for path in files(".py", "trading"):
        found[name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")] = tree_of(path)
    return Calls(found)
