"""The public vectors of RFC 6962 proofs (``tests/vectors/merkle_proofs.json``) as cases."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_FILE: Final[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors" / "merkle_proofs.json").read_text())
_HASHES: Final = [b64decode(each) for each in _FILE["hashes"]]
#: Upstream asks only for equal roots there and accepts two of 12 bytes; a hash has 32 bytes here (AL1 L15).
TOO_SHORT: Final = "additional/sizes-are-equal-one-and-proof-is-empty"


@dataclass(frozen=True, slots=True)
class ProofCase:
    """One case. ``first`` and ``second``: index and size with root and leaf hash, or the sizes with their roots."""

    name: str
    first: int
    second: int
    left: bytes
    right: bytes
    proof: list[bytes]
    holds: bool


def _cases(kind: str) -> list[ProofCase]:
    return [
        ProofCase(name, first, second, _HASHES[left], _HASHES[right], [_HASHES[each] for each in proof], holds)
        for name, first, second, left, right, proof, holds in _FILE[kind]
    ]


INCLUSION: Final = _cases("inclusion")
CONSISTENCY: Final = _cases("consistency")
