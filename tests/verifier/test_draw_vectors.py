"""The verifier's own code on the complete example of ED1 D16, and its command that shows a draw recomputed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.made_draw import STORIES, make_draw_bundle, tell_draw, trust_of
from tests.support.make_bundle import write_zip
from verifier.build import single_file_source
from verifier.cli import main
from verifier.dealing import deal
from verifier.drawing import (
    Calls,
    contribution_commitment,
    dealing_context,
    draw_seed,
    exclusion_key_commitment,
    exclusion_root_of,
    final_document,
    ordered_pool,
    pool_key_commitment,
    pool_root_of,
)
from verifier.hashing import LABEL_PROCEDURE, hex_digest, tuple_hash
from verifier.merkle import root_of
from verifier.walking import Trail

VECTORS: dict[str, Any] = json.loads(Path("tests/vectors/protocols.json").read_text())["ed1"]
SPEC: dict[str, Any] = json.loads(VECTORS["spec"])
PARTIES = ("agency", "centre", "notary", "supervisor")
RS = dict(zip(PARTIES, map(bytes.fromhex, VECTORS["r"]), strict=True))
SEED = bytes.fromhex(VECTORS["seed"])


def entrants() -> list[tuple[str, str, str]]:
    return [(item["stratum"], item["id"], item["unit"]) for item in VECTORS["experts"]]


def order(seed: bytes, stratum: str, start: int, end: int) -> list[int | None]:
    calls = Calls(seed, stratum, start, end)
    return [calls.at(position) for position in range(end - start)]


def test_pool_and_exclusions() -> None:
    k_draw, k_x = bytes.fromhex(VECTORS["K_draw"]), bytes.fromhex(VECTORS["K_x"])
    pool = ordered_pool(k_draw, entrants())
    assert [name for _, name, _ in pool] == VECTORS["pool_order_ids"]
    assert pool_root_of(k_draw, pool) == VECTORS["pool_root"]
    assert exclusion_root_of(k_x, 14, {2: "employer"}) == VECTORS["excl_root"]
    assert pool_key_commitment("D-1", 1, k_draw) == SPEC["pool_key_commit"]
    assert exclusion_key_commitment("D-1", 1, k_x) == SPEC["exclusion_key_commit"]
    procedure = VECTORS["procedure"]
    commit = tuple_hash(LABEL_PROCEDURE, bytes.fromhex(procedure["salt"]), procedure["reference"].encode())
    assert commit.hex() == procedure["commit"]


def test_contributions_and_seed() -> None:
    spec_sha256 = hex_digest(VECTORS["spec"].encode())
    assert spec_sha256 == VECTORS["spec_sha256"]
    commits = [contribution_commitment(spec_sha256, party, RS[party]).hex() for party in PARTIES]
    assert commits == VECTORS["commits"]
    final = final_document(spec_sha256, zip(PARTIES, commits, strict=True))
    assert final.decode() == VECTORS["final"]
    assert draw_seed(final, list(RS.values()), None) == SEED
    void = VECTORS["void_example"]
    left = [party for party in PARTIES if party != void["dropped"]]
    final = final_document(spec_sha256, [(party, commits[PARTIES.index(party)]) for party in left])
    assert draw_seed(final, [RS[party] for party in left], None).hex() == void["seed"]


def test_escrow() -> None:
    escrow = VECTORS["escrow_agency"]
    document = {"draw": "D-1", "spec_sha256": VECTORS["spec_sha256"]}
    context = dealing_context(document, "agency", "ed1.contribution")
    assert context.decode() == escrow["ctx"]
    dealt = deal(RS["agency"], b"", context, 3, 5)
    assert [share.hex() for share in dealt.shares] == escrow["shares"]
    assert [commitment.hex() for commitment in dealt.commitments] == escrow["C"]


def test_order() -> None:
    assert order(bytes(32), "S07", 0, 10) == VECTORS["ticket_order_seed00_S07_0_10"]
    assert order(SEED, "S07", 0, 10) == VECTORS["order_S07"]
    assert order(SEED, "S11", 10, 14) == VECTORS["order_S11"]
    portions = order(SEED, "S07", 0, 700)
    assert sorted(index for index in portions if index is not None) == list(range(700))


def test_walk() -> None:
    walk = VECTORS["walk"]
    trail = Trail(SPEC, SEED)
    trail.pool, trail.excluded = ordered_pool(bytes.fromhex(VECTORS["K_draw"]), entrants()), {2: "employer"}
    done = 0
    for result in walk["results"]:
        for at, entry in enumerate(walk["trail"][done : result["entries"]], done):
            assert trail.take({name: entry[name] for name in entry if name != "kind"}, 1000 * at) == []
        done = result["entries"]
        assert trail.finished
        assert trail.selected == result["selected"]
        assert root_of([j.to_bytes(8, "big") * 4 for j in range(done)]).hex() == result["trail_root"]


@pytest.mark.parametrize("position", range(21))
def test_no_entry_of_the_walk_may_be_left_out(position: int) -> None:
    trail = Trail(SPEC, SEED)
    entries = [entry for number, entry in enumerate(VECTORS["walk"]["trail"]) if number != position]
    faults = [text for at, entry in enumerate(entries) for text in trail.take(entry, 1000 * at)]
    assert faults or not trail.finished or trail.selected != VECTORS["walk"]["results"][1]["selected"]


def test_the_command_shows_a_draw(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = tell_draw(STORIES["withheld"])
    bundle = write_zip(make_draw_bundle(made, "public"), tmp_path / "draw.zip")
    trust = tmp_path / "trust.json"
    trust.write_bytes(trust_of(made)[0])
    assert main([str(bundle), "--trust", str(trust), "--draws"]) == 0
    text = capsys.readouterr().out
    assert f"seed {made.seed.hex()}" in text
    assert "contributor agency: recovered from custodians [1, 2, 3]" in text
    assert made.result is not None
    for seat in made.result.selected:
        assert f"SELECTED {seat.index} ({seat.stratum})" in text
    assert main([str(bundle), "--trust", str(trust), "--draws", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["draws"][0]
    assert shown["selected"] == [seat.to_json() for seat in made.result.selected]
    assert main([str(bundle), "--trust", str(trust), "--json"]) == 0
    assert "draws" not in json.loads(capsys.readouterr().out)


def test_the_single_file_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = tell_draw()
    bundle = write_zip(make_draw_bundle(made), tmp_path / "draw.zip")
    trust, script = tmp_path / "trust.json", tmp_path / "verify.py"
    trust.write_bytes(trust_of(made)[0])
    script.write_bytes(single_file_source())
    arguments = [str(bundle), "--trust", str(trust), "--json", "--draws"]
    assert main(arguments) == 0
    own = capsys.readouterr().out
    told = subprocess.run([sys.executable, "-I", str(script), *arguments], capture_output=True, text=True, check=True)
    assert json.loads(told.stdout) == json.loads(own)
