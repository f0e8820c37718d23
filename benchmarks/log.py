"""Arithmetic of the log on one core: chain and tree, tiles, proofs, notes, entry reading. No disk, no network.

Building blocks for AL1 L16, not throughput of the platform: the sequencer's commit, disk and witnesses are not in it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable

from trading.audit.rules import tree
from trading.audit.rules.chain import check_chain, genesis, link
from trading.audit.rules.note import (
    COSIGNATURE_V1,
    ED25519,
    Checkpoint,
    Note,
    VerifierKey,
    message_to_sign,
    signature_line,
    verify_checkpoint,
)
from trading.audit.rules.tiles import GrowingTree, TiledNodes, file_reader
from trading.crypto.notes import ed25519_public, sign_ed25519, verify_note_signature

ORIGIN = "bench.example/log"
START_MS = 1_700_000_000_000


def rate(count: int, work: Callable[[], object]) -> int:
    """Run ``work`` once and return how many of ``count`` it did per second."""
    start = time.perf_counter()
    work()
    return round(count / (time.perf_counter() - start))


class Run:
    """One log of ``size`` entries, grown in batches, then read back."""

    def __init__(self, size: int, batch: int) -> None:
        self.size, self.batch = size, batch
        self.files: dict[str, bytes] = {}
        self.entries: list[bytes] = []
        self.hashes: list[bytes] = []
        self.growing = GrowingTree()

    def grow(self) -> None:
        """Chain, hash, root and tiles of every batch, as the sequencer does them."""
        previous = genesis(ORIGIN)
        for first in range(0, self.size, self.batch):
            count = min(self.batch, self.size - first)
            commitments = [hashlib.sha256(n.to_bytes(8, "big")).digest() for n in range(first, first + count)]
            entries = link(commitments, first=first, previous=previous, t=START_MS + first)
            self.hashes += self.growing.extend(entries)
            previous = self.hashes[-1]
            self.growing.root()
            self.files.update(self.growing.take_files())
            self.entries += entries

    def prove(self, indices: range) -> list[list[bytes]]:
        """Build inclusion proofs from tiles with one cache."""
        nodes = TiledNodes(self.size, file_reader(self.files.get))
        return [tree.inclusion_proof(index, self.size, nodes) for index in indices]

    def verify(self, indices: range, proofs: list[list[bytes]]) -> None:
        """Verify inclusion proofs."""
        root = self.growing.root()
        for index, proof in zip(indices, proofs, strict=True):
            tree.verify_inclusion(index, self.size, self.hashes[index], proof, root)

    def note(self) -> tuple[bytes, VerifierKey, list[VerifierKey]]:
        """Return a checkpoint with three cosignatures and its keys."""
        checkpoint = Checkpoint(origin=ORIGIN, size=self.size, root=self.growing.root())
        seeds = [bytes([number]) * 32 for number in range(4)]
        keys = [VerifierKey(name=ORIGIN, kind=ED25519, public_key=ed25519_public(seeds[0]))]
        keys += [
            VerifierKey(name=f"witness{number}.example", kind=COSIGNATURE_V1, public_key=ed25519_public(seeds[number]))
            for number in (1, 2, 3)
        ]
        times = (None, 1, 2, 3)
        lines = [
            signature_line(key, sign_ed25519(seed, message_to_sign(key, checkpoint, time_s or 0)), time_s)
            for key, seed, time_s in zip(keys, seeds, times, strict=True)
        ]
        return Note(text=checkpoint.text, signatures=tuple(lines)).encode(), keys[0], keys[1:]


def main(argv: list[str] | None = None) -> int:
    """Measure and print one line of JSON: rates per second."""
    parser = argparse.ArgumentParser(prog="bench log", description=__doc__)
    parser.add_argument("--size", type=int, default=200_000, help="entries")
    parser.add_argument("--batch", type=int, default=500, help="entries per checkpoint")
    parser.add_argument("--json", action="store_true", help="only the JSON line")
    options = parser.parse_args(argv)
    run = Run(options.size, options.batch)
    figures: dict[str, int] = {"size": options.size, "batch": options.batch}
    figures["append_tiles_root_per_s"] = rate(run.size, run.grow)
    recent = range(max(0, run.size - 5_000), run.size)
    spread = range(0, run.size, max(1, run.size // 2_000))
    proofs = run.prove(recent)
    figures["prove_recent_per_s"] = rate(len(recent), lambda: run.prove(recent))
    figures["prove_spread_per_s"] = rate(len(spread), lambda: run.prove(spread))
    figures["verify_inclusion_per_s"] = rate(len(recent), lambda: run.verify(recent, proofs))
    entries = run.entries[:100_000]
    figures["check_chain_per_s"] = rate(len(entries), lambda: check_chain(entries, first=0, previous=genesis(ORIGIN)))
    note, log_key, witness_keys = run.note()
    figures["verify_note_with_3_cosignatures_per_s"] = rate(
        1_000,
        lambda: [verify_checkpoint(note, ORIGIN, [log_key], witness_keys, verify_note_signature) for _ in range(1_000)],
    )
    if not options.json:
        for name, value in figures.items():
            print(f"{name:<40} {value:>12,}")
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
