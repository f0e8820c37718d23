"""Joins the modules into the one file ``verify.py`` that auditors take from a release (AL1 L12.2).

The join is textual and deterministic: imports of the standard library and of ``cryptography`` go to the top, imports
between the modules disappear, and every top-level name must be unique across them.
"""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path

MODULES = (
    "bech32",
    "age",
    "canonical",
    "encoding",
    "hashing",
    "merkle",
    "es256",
    "shamir",
    "dealing",
    "hpke",
    "notes",
    "policy",
    "bounds",
    "fields",
    "drawtypes",
    "papertypes",
    "doctypes",
    "expertrecords",
    "disclosurerecords",
    "records",
    "proofs",
    "attachment",
    "report",
    "trust",
    "bundle",
    "tiles",
    "keys",
    "evidence",
    "tokens",
    "checks_tokens",
    "checks_log",
    "checks_continued",
    "checks_documents",
    "lot",
    "intake",
    "envelopes",
    "checks_bids",
    "checks_opening",
    "checks_adjudication",
    "contents",
    "verdicts",
    "checks_verdicts",
    "checks_time",
    "checks_clocks",
    "checks_intake",
    "checks_refusals",
    "checks_outages",
    "checks_extension",
    "drawing",
    "draw",
    "walking",
    "checks_draw",
    "checks_seed",
    "checks_pool",
    "checks_walk",
    "checks_attempts",
    "masks",
    "sheets",
    "scoring",
    "benchmark",
    "formulas",
    "checks_ranking",
    "progress",
    "verification",
    "command",
)
PACKAGE = "verifier"
SINGLE_HEAD = '''#!/usr/bin/env python3
"""Mingbiao offline verifier in one file. Python 3.9 or newer and ``cryptography`` (44 or newer; 50 for every check).

    python verify.py BUNDLE --trust TRUST_FILE

Compare its SHA-256 with the trust file. A copy that came inside a bundle is a convenience, not evidence.
"""

from __future__ import annotations

'''
SINGLE_TAIL = """
if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], Path(__file__).read_bytes()))
"""


@cache
def single_file_source() -> bytes:
    """Return the bytes of ``verify.py``; equal modules give equal bytes on every machine."""
    folder = Path(__file__).parent
    imports: set[str] = {"import sys", "from pathlib import Path"}
    owners: dict[str, str] = {}
    bodies = []
    for module in MODULES:
        text = (folder / f"{module}.py").read_text("utf-8")
        body, found, names = _take_apart(text)
        imports |= found
        for name in names:
            if name in owners:
                raise ValueError(f"{name} stands in {owners[name]} and in {module}")
            owners[name] = module
        bodies.append(f"\n\n# {'-' * 12} {module} {'-' * 12}\n\n{body}\n")
    ordered = sorted(line for line in imports if line.startswith("import "))
    ordered += sorted(line for line in imports if line.startswith("from "))
    return (SINGLE_HEAD + "\n".join(ordered) + "\n" + "".join(bodies) + SINGLE_TAIL).encode()


def _take_apart(text: str) -> tuple[str, set[str], set[str]]:
    """Return the body without imports and module docstring, the outside imports, and the names it defines."""
    tree = ast.parse(text)
    dropped = _lines_of(tree.body[0])
    imports: set[str] = set()
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            imports |= _outside(node)
            dropped |= _lines_of(node)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    kept = [line for number, line in enumerate(text.splitlines(), 1) if number not in dropped]
    return "\n".join(kept).strip("\n"), imports, names


def _outside(node: ast.Import | ast.ImportFrom) -> set[str]:
    if isinstance(node, ast.Import):
        return {f"import {_named(alias)}" for alias in node.names}
    if node.module == "__future__":
        return set()
    if (node.module or "").split(".")[0] == PACKAGE:
        if any(alias.asname for alias in node.names):
            raise ValueError(f"{node.module}: in one file nothing has two names")
        return set()
    return {f"from {node.module} import {_named(alias)}" for alias in node.names}


def _named(alias: ast.alias) -> str:
    return alias.name if alias.asname is None else f"{alias.name} as {alias.asname}"


def _lines_of(node: ast.stmt) -> set[int]:
    return set(range(node.lineno, (node.end_lineno or node.lineno) + 1))


def main(argv: list[str]) -> int:
    """Write the single file to the path given, or to standard output."""
    if argv:
        Path(argv[0]).write_bytes(single_file_source())
    else:
        sys.stdout.buffer.write(single_file_source())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
