"""Our log before verifiers that other people wrote: they accept what is true of it and nothing else (AL1 L15)."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.build.partners import go_driver, new_python, node_packages, python_packages
from tests.build.signed_log import VECTORS
from tests.support.databases import Server, clone
from tests.support.logs import LogWorld
from tests.support.polling import eventually
from trading.audit.files import LogProofs
from trading.audit.ledger import Ledger
from trading.audit.model import EVENTS
from trading.audit.rules.note import parse_checkpoint_text, parse_note, parse_vkey
from trading.audit.rules.tiles import TILE_WIDTH, Tile, parse_bundle
from trading.crypto.notes import sign_mldsa44
from trading.kernel.events import Event, Registry
from trading.kernel.roles import Actor

HERE = Path(__file__).parent
ENTRIES = 300  # more than one tile
SIZES = (1, 2, 255, 256, 257, 299)
KEY_ID_AND_TIME = 4 + 8  # bytes of a cosignature line before the signature
PROOFS = {"inclusion": ("proof", "root", "entry"), "consistency": ("proof", "old_root", "new_root")}
Case = dict[str, Any]


@dataclass
class Partners:
    """Runs the drivers; each answers a case with lists of booleans."""

    folder: Path

    def aics(self, case: Case) -> dict[str, list[bool]]:
        python = new_python()
        if python is None:
            pytest.skip("aics-tlog needs a Python of 3.12 or newer")
        return self._ask([python, HERE / "aics.py"], case, {"PYTHONPATH": str(python_packages(python))})

    def node(self, case: Case) -> dict[str, list[bool]]:
        node, npm = shutil.which("node"), shutil.which("npm")
        if node is None or npm is None:
            pytest.skip("the partners of the npm registry need Node and npm")
        return self._ask([node, HERE / "node.cjs", node_packages(npm)], case, {})

    def go(self, case: Case) -> dict[str, list[bool]]:
        driver = go_driver()
        if driver is None:
            pytest.skip("the sources of golang.org/x/mod come from Debian: apt-get and dpkg-deb are needed")
        return self._ask([driver], case, {})

    def _ask(self, program: list[Any], case: Case, variables: dict[str, str]) -> dict[str, list[bool]]:
        path = self.folder / "case.json"
        path.write_text(json.dumps(case), encoding="utf-8")
        words = [str(word) for word in (*program, path)]
        done = subprocess.run(words, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        answers: dict[str, list[bool]] = json.loads(done.stdout)
        return answers


@pytest.fixture(scope="module")
def partners(tmp_path_factory: pytest.TempPathFactory) -> Partners:
    return Partners(tmp_path_factory.mktemp("partners"))


@pytest.fixture(scope="module")
def case(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """A witnessed log of 300 entries, proofs that our code made over it, and where its tiles lie."""
    with clone(server) as database:
        world = LogWorld(database, tmp_path_factory.mktemp("log"))
        try:
            with Ledger(database.engine(), registry=Registry(EVENTS)).begin(Actor.system("test")) as uow:
                for number in range(ENTRIES):
                    uow.record(Event(kind="config.changed", subject="setting:x", body={"what": f"{number}"}))
            with world.sequencer() as sequencer:
                sequencer.start()
                sequencer.step()
                eventually(lambda: any(size == ENTRIES for size, _ in world.tiles.notes()))
            yield case_of(world)
        finally:
            world.close()


def case_of(world: LogWorld) -> Case:
    note = world.tiles.first_witnessed(ENTRIES)
    assert note is not None
    checkpoint = parse_checkpoint_text(parse_note(note).text)
    proofs = LogProofs(world.tiles)
    bundles = [world.tiles.read(Tile(None, 0).path), world.tiles.read(Tile(None, 1, ENTRIES - TILE_WIDTH).path)]
    entries = [entry for bundle in bundles for entry in parse_bundle(bundle or b"")]
    root = text(checkpoint.root)
    return {
        "origin": checkpoint.origin,
        "log": world.log_key.vkey,
        "witnesses": [each.key.vkey for each in world.witnesses],
        "quorum": 2,
        "note": note.decode(),
        "size": checkpoint.size,
        "root": root,
        "tiles": str(world.log_dir / "tiles"),
        "entries": [text(entry) for entry in entries],
        "inclusion": [
            {
                "n": n,
                "size": ENTRIES,
                "root": root,
                "entry": text(entries[n]),
                "proof": [text(part) for part in proofs.inclusion(n, ENTRIES)],
            }
            for n in range(0, ENTRIES, 23)
        ],
        "consistency": [
            {
                "old": old,
                "new": ENTRIES,
                "old_root": text(proofs.root(old, ENTRIES)),
                "new_root": root,
                "proof": [text(part) for part in proofs.consistency(old, ENTRIES)],
            }
            for old in SIZES
        ],
        "mldsa": lattice_lines(),
    }


def lattice_lines() -> list[dict[str, str]]:
    """Return two ML-DSA-44 signatures: that of the vectors (AL1 L14.2), and one that our code makes now."""
    vector = VECTORS["al1_log"]["mldsa44"]
    key = parse_vkey(vector["vkey"])
    line = b64decode(vector["cosignature"].split(" ")[2])
    message = bytes.fromhex(vector["message_hex"])
    signatures = line[KEY_ID_AND_TIME:], sign_mldsa44(bytes.fromhex(vector["seed"]), message)
    return [
        {"key": text(key.public_key), "message": text(message), "signature": text(signature)}
        for signature in signatures
    ]


def text(data: bytes) -> str:
    return b64encode(data).decode()


def flipped(data: str) -> str:
    """Return the same bytes but for one bit."""
    raw = bytearray(b64decode(data))
    raw[len(raw) // 2] ^= 1
    return text(bytes(raw))


def tampered_notes(case: Case) -> Iterator[Case]:
    """Yield the case with another size, another root, and another signature of the log."""
    body, _, lines = case["note"].partition("\n\n")
    origin, size, root, *rest = body.split("\n")
    for changed in ([origin, str(int(size) + 1), root, *rest], [origin, size, flipped(root), *rest]):
        yield {**case, "note": "\n".join(changed) + "\n\n" + lines}
    first, *others = lines.split("\n")
    dash, name, signature = first.split(" ")
    yield {**case, "note": f"{body}\n\n" + "\n".join([f"{dash} {name} {flipped(signature)}", *others])}


def tampered(case: Case, kind: str, fields: tuple[str, ...]) -> Iterator[Case]:
    """Yield the case with one bit changed in one of these fields of every question of a kind; then in the next."""
    for change in fields:
        changed = copy.deepcopy(case)
        for each in changed[kind]:
            if change != "proof":
                each[change] = flipped(each[change])
            elif each["proof"]:
                each["proof"][-1] = flipped(each["proof"][-1])
            else:
                each["proof"].append(text(b"\0" * 32))
        yield changed


def test_aics_accepts_our_checkpoint_tiles_and_proofs(partners: Partners, case: Case) -> None:
    answers = partners.aics(case)
    assert answers["checkpoint"] == [True]
    assert answers["audit"] == [True]
    assert answers["inclusion"] == [True] * len(case["inclusion"])
    assert answers["consistency"] == [True] * len(SIZES)


def test_aics_refuses_what_was_tampered_with(partners: Partners, case: Case, tmp_path: Path) -> None:
    for changed in tampered_notes(case):
        assert partners.aics(changed)["checkpoint"] == [False]
    assert partners.aics({**case, "quorum": 4})["checkpoint"] == [False]  # more than there are witnesses
    for kind, fields in PROOFS.items():
        for changed in tampered(case, kind, fields):
            assert partners.aics(changed)[kind] == [False] * len(case[kind]), kind
    tiles = tmp_path / "tiles"
    shutil.copytree(case["tiles"], tiles)
    tile = tiles / "tile" / "0" / "000"
    raw = bytearray(tile.read_bytes())
    raw[100] ^= 1
    tile.write_bytes(bytes(raw))
    assert partners.aics({**case, "tiles": str(tiles)})["audit"] == [False]


def test_go_accepts_our_checkpoint_entries_and_proofs(partners: Partners, case: Case) -> None:
    answers = partners.go(case)
    assert answers["checkpoint"] == [True]
    assert answers["recomputed"] == [True]
    assert answers["inclusion"] == [True] * len(case["inclusion"])
    assert answers["consistency"] == [True] * len(SIZES)
    assert answers["mldsa"] == [True, True]


def test_go_refuses_what_was_tampered_with(partners: Partners, case: Case) -> None:
    for changed in tampered_notes(case):
        assert partners.go(changed)["checkpoint"] == [False]
    first, *rest = case["entries"]
    for entries in ([flipped(first), *rest], [rest[0], first, *rest[1:]]):
        assert partners.go({**case, "entries": entries})["recomputed"] == [False]
    for kind, fields in {**PROOFS, "mldsa": ("key", "message", "signature")}.items():
        for changed in tampered(case, kind, fields):
            assert partners.go(changed)[kind] == [False] * len(case[kind]), kind


@pytest.mark.parametrize("partner", ["sigstore", "transmute"])
def test_partners_of_the_npm_registry_accept_our_proofs_and_no_others(
    partners: Partners, case: Case, partner: str
) -> None:
    asked: Callable[[Case], list[bool]] = lambda changed: partners.node(changed)[partner]  # noqa: E731 - one line
    assert asked(case) == [True] * len(case["inclusion"])
    for changed in tampered(case, "inclusion", PROOFS["inclusion"]):
        # What sigstore compares with is the root of the signed note, so a changed field beside it is nothing to it.
        if partner == "sigstore" and changed["inclusion"][0]["root"] != case["root"]:
            continue
        assert asked(changed) == [False] * len(case["inclusion"])
    if partner == "sigstore":
        for changed in tampered_notes(case):
            assert not any(asked(changed))
