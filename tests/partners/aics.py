"""Ask ``aics-tlog`` about a case: ``python aics.py CASE`` prints one JSON object of answers, true where it accepts."""

from __future__ import annotations

import json
import sys
from base64 import b64decode
from pathlib import Path
from typing import Any

import aics_tlog as aics


def checkpoint(case: dict[str, Any]) -> bool:
    result = aics.verify_checkpoint(
        aics.parse_note(case["note"]),
        aics.parse_vkey(case["log"]),
        [aics.parse_vkey(each) for each in case["witnesses"]],
        case["quorum"],
        expected_origin=case["origin"],
    )
    return bool(result.ok)


def audit(case: dict[str, Any]) -> bool:
    reader = aics.FileSystemTileReader(case["tiles"])
    return bool(aics.audit_tiles(reader, case["size"], b64decode(case["root"])).size == case["size"])


def inclusion(each: dict[str, Any]) -> bool:
    proof = [b64decode(part) for part in each["proof"]]
    leaf = aics.leaf_hash(b64decode(each["entry"]))
    return bool(aics.verify_inclusion(leaf, each["n"], each["size"], proof, b64decode(each["root"])))


def consistency(each: dict[str, Any]) -> bool:
    proof = [b64decode(part) for part in each["proof"]]
    roots = b64decode(each["old_root"]), b64decode(each["new_root"])
    return bool(aics.verify_consistency(each["old"], each["new"], *roots, proof))


def asked(question: Any, value: dict[str, Any]) -> bool:  # noqa: ANN401 - one of the functions above
    try:
        return bool(question(value))
    except (ValueError, OSError):  # it refuses with these
        return False


case = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
answers = {
    "checkpoint": [asked(checkpoint, case)],
    "audit": [asked(audit, case)],
    "inclusion": [asked(inclusion, each) for each in case["inclusion"]],
    "consistency": [asked(consistency, each) for each in case["consistency"]],
}
sys.stdout.write(json.dumps(answers))
