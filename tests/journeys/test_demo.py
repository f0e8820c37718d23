"""The demonstration as a newcomer runs it, and what other people's tools make of what it hands out."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.journey import verified
from tests.support.watched import Watched, watched
from trading.demo.cast import BIDDERS
from trading.demo.tender import DISPLAYS, FURNITURE, LOTS
from trading.up.programs import ROOT
from verifier.build import single_file_source

BUNDLES = ("public.zip", "draw.zip", "audit.zip")
LOG_FILES = 256  # entries and hashes of a full tile (C2SP tlog-tiles)


@dataclass
class Demonstration:
    """One run: what it did, and the folder of what it hands out."""

    run: Watched
    out: Path

    @property
    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.out / "summary.json").read_text(encoding="utf-8"))
        return found

    def verify(self, path: Path, *, trust: bool, standalone: Path | None = None) -> tuple[int, str]:
        """Run ``mingbiao verify``, or the single file that a bundle carries, in a process of its own."""
        program = ("-m", "trading.cli", "verify") if standalone is None else ("-I", str(standalone))
        words = [sys.executable, *program, str(path), "--json"]
        words += ["--trust", str(self.out / "trust.json")] if trust else []
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.returncode, done.stdout


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    out = tmp_path_factory.mktemp("demonstration") / "out"
    with watched(sys.executable, "-m", "trading.demo", "--once", "--out", str(out)) as run:
        assert run.code == 0, run.output
        yield Demonstration(run, out)


def test_nothing_is_left_behind(demonstration: Demonstration) -> None:
    commands = " ".join(demonstration.run.processes.values())
    assert all(program in commands for program in ("postgres", "custodian", "sequencer", "witness", "gunicorn"))
    assert demonstration.run.still_running() == []
    assert demonstration.run.left_behind() == []


def test_control_what_a_careless_program_leaves_behind_is_seen() -> None:
    with watched("sh", "-c", 'sleep 600 & echo "$!" >"$TMPDIR/pid"; sleep 1') as run:
        assert run.still_running() == ["sleep 600 "]
        assert [path.name for path in run.left_behind()] == ["pid"]
        os.kill(int((run.temporary / "pid").read_text()), signal.SIGKILL)


def test_the_summary_says_what_happened(demonstration: Demonstration) -> None:
    summary = demonstration.summary
    key = {bidder.code: bidder.key for bidder in BIDDERS}
    furniture, displays = (
        {key[row["bidder"]]: (row["rank"], row["price"], row["reason"]) for row in lot["ranking"]}
        for lot in summary["lots"]
    )
    # Yunfan asks more and delivers sooner; Bolin's price is counted less a tenth, because it is a small enterprise.
    total = FURNITURE.standing_total
    assert furniture == {
        "yunfan": (1, total("yunfan"), None),
        "qinghe": (2, total("qinghe"), None),
        "bolin": (3, total("bolin"), None),
        "mingde": (4, total("mingde"), None),
        "songtao": (None, total("songtao"), "above_ceiling"),
    }
    assert {bidder: row[0] for bidder, row in displays.items()} == {"bolin": 1, "yunfan": 2, "qinghe": 3}
    assert [key[lot["award"]["bidder"]] for lot in summary["lots"]] == ["yunfan", "bolin"]
    assert summary["lots"][1]["award"]["price"] == DISPLAYS.standing_total("bolin")  # the quote, not what is compared
    assert (summary["demo"], summary["verified"]) == (True, dict.fromkeys(BUNDLES, 0))
    assert summary["verifier_sha256"] == hashlib.sha256(single_file_source()).hexdigest()
    assert summary["origin"].startswith("demo.")
    assert len(summary["people"]) >= 11
    assert set(summary["people"].values()) == {True}  # every account has signed in and out again
    assert "mingbiao verify public.zip: 0 PASS" in demonstration.run.output


@pytest.mark.parametrize("name", BUNDLES)
def test_bundles_verify_with_trust_and_stay_incomplete_without(demonstration: Demonstration, name: str) -> None:
    code, report = demonstration.verify(demonstration.out / name, trust=True)
    assert (code, json.loads(report)["demo"]) == (0, True)
    assert demonstration.verify(demonstration.out / name, trust=False)[0] == 2


@pytest.mark.parametrize("name", BUNDLES)
def test_the_program_inside_a_bundle_says_the_same(demonstration: Demonstration, name: str, tmp_path: Path) -> None:
    bundle, standalone = demonstration.out / name, tmp_path / "verify.py"
    with zipfile.ZipFile(bundle) as archive:
        standalone.write_bytes(archive.read("verify.py"))
    for trust in (True, False):
        ours = demonstration.verify(bundle, trust=trust)
        assert demonstration.verify(bundle, trust=trust, standalone=standalone) == ours
    changed = tmp_path / "changed.zip"
    changed.write_bytes(bundle.read_bytes()[:-200])  # the control: it does not say yes to everything
    assert demonstration.verify(changed, trust=True, standalone=standalone)[0] == 1


def test_stock_age_opens_every_revealed_part(demonstration: Demonstration) -> None:
    age = shutil.which("age")
    if age is None:
        pytest.skip("the stock age command is not installed")
    opened = sorted((demonstration.out / "revealed").glob("*/*.age"))
    expected = [(lot, each) for lot in LOTS for each in lot.bidders if each.key not in lot.silent]
    assert len(opened) == 2 * len(expected)
    for part in opened:
        identity, content = part.with_suffix(".identity"), part.with_suffix(".opened").read_bytes()
        words = [age, "--decrypt", "--identity", str(identity), str(part)]
        assert subprocess.run(words, capture_output=True, check=True).stdout == content
    prices = (demonstration.out / "revealed").glob("*/price.opened")
    totals = sorted(json.loads(path.read_bytes())["total"] for path in prices)
    assert totals == sorted(lot.standing_total(each.key) for lot, each in expected)
    other = next(each for each in opened if each.parent != opened[0].parent)
    wrong = [age, "--decrypt", "--identity", str(other.with_suffix(".identity")), str(opened[0])]
    assert subprocess.run(wrong, capture_output=True, check=False).returncode != 0


def test_receipts_verify_and_the_newest_of_each_act_is_witnessed(demonstration: Demonstration) -> None:
    newest: dict[Path, int] = {}
    receipts = sorted((demonstration.out / "receipts").rglob("*.tlog-proof"), key=lambda path: (len(path.name), path))
    for receipt in receipts:
        report = verified(receipt, demonstration.out / "trust.json")
        code = report["code"]
        assert code in {0, 2}, report
        newest[receipt.parent / receipt.name.removesuffix(".tlog-proof").removesuffix("-2")] = code
    assert {path.relative_to(demonstration.out / "receipts").parts[0] for path in newest} == {b.key for b in BIDDERS}
    assert set(newest.values()) == {0}
    damaged = demonstration.out / "damaged.tlog-proof"
    damaged.write_bytes(receipts[0].read_bytes().replace(b"A", b"B", 1))
    assert verified(damaged, demonstration.out / "trust.json")["code"] == 1


# The log as a static site, read by RFC 6962 alone.


def test_the_log_is_a_complete_static_site(demonstration: Demonstration) -> None:
    site = demonstration.out / "log"
    origin, size, root = checkpoint(site / "checkpoint")
    assert origin == demonstration.summary["origin"]
    stored = [site.joinpath("tile/entries", name).read_bytes() for name in bundle_names(size)]
    entries = [entry for bundle in stored for entry in split(bundle)]
    assert len(entries) == size
    leaves = [hashlib.sha256(b"\0" + entry).digest() for entry in entries]
    assert tree_hash(leaves) == root
    for level, hashes in enumerate(levels(leaves)):
        tiles = [site.joinpath("tile", str(level), name).read_bytes() for name in bundle_names(len(hashes))]
        assert b"".join(tiles) == b"".join(hashes)
    for path in sorted((site / "checkpoints").iterdir()):
        named, smaller, kept = checkpoint(path)
        assert (named, str(smaller)) == (origin, path.name.split("-")[0])
        assert tree_hash(leaves[:smaller]) == kept
    assert tree_hash(leaves[:-1]) != root  # the control
    assert tree_hash([*leaves[:-2], leaves[-1], leaves[-2]]) != root


def checkpoint(path: Path) -> tuple[str, int, bytes]:
    """Return origin, size and root of a signed note."""
    origin, size, root = path.read_text(encoding="utf-8").split("\n")[:3]
    return origin, int(size), base64.b64decode(root, validate=True)


def bundle_names(count: int) -> Iterator[str]:
    """Yield the names of the tiles that hold so many hashes or entries (C2SP tlog-tiles)."""
    full, rest = divmod(count, LOG_FILES)
    yield from (tile_name(index) for index in range(full))
    if rest:
        yield f"{tile_name(full)}.p/{rest}"


def tile_name(index: int) -> str:
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03d}")
    return "/".join(groups)


def split(data: bytes) -> Iterator[bytes]:
    """Yield the entries of a bundle, each after its length in two bytes."""
    while data:
        length = int.from_bytes(data[:2], "big")
        yield data[2 : 2 + length]
        data = data[2 + length :]


def tree_hash(leaves: list[bytes]) -> bytes:
    """Return the Merkle tree hash of RFC 6962 over leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\1" + tree_hash(leaves[:half]) + tree_hash(leaves[half:])).digest()


def levels(leaves: list[bytes]) -> Iterator[list[bytes]]:
    """Yield the hashes that the tiles of each level hold: every hash of a level covers a full tile of the one below."""
    while leaves:
        yield leaves
        full = range(0, len(leaves) - LOG_FILES + 1, LOG_FILES)
        leaves = [tree_hash(leaves[start : start + LOG_FILES]) for start in full]
