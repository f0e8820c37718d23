"""What somebody may do to a bundle that a platform exported: by files alone, or with the operator's own log key.

Each returns the changed files, and a text that the verifier's finding must contain: the place of the change.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias, cast

from tests.campaigns import test_tamper as told
from tests.campaigns.test_tamper import Dice, flip, paths, relisted
from tests.support.made_tender import Tender
from tests.support.make_bundle import Files, with_list
from trading.audit.rules.chain import entry_bytes, genesis, parse_entry, record_commitment
from trading.audit.rules.note import Checkpoint
from trading.audit.rules.proof import parse_receipt
from trading.audit.rules.tiles import GrowingTree, bundle_bytes, parse_bundle, parse_tile_path
from trading.audit.rules.tree import leaf_hash
from trading.audit.sequencer.writer import LogSigner
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.encoding import b64u, b64u_decode

Tampering: TypeAlias = Callable[[Files, Dice], tuple[Files, str]]

_OF_THE_STORY = ("bid.received", "tender.closed", "open.ordered", "factor.closed", "opening.combined", "bid.opened")


def by_files_alone(tamper: told.Tampering) -> Tampering:
    """Return a tampering of ``test_tamper`` that needs nothing of the story it was told in."""
    nobody = cast("Tender", None)

    def tampered(files: Files, dice: Dice) -> tuple[Files, str]:
        return tamper(files, nobody, dice)

    tampered.__name__ = tamper.__name__
    return tampered


def changed_record(files: Files, dice: Dice) -> tuple[Files, str]:
    """An instant inside a record; entry and proof stay as they were logged."""
    path = dice.of(paths(files, "log/", "records/"))
    if path.startswith("log/"):
        receipt = parse_receipt(files[path])
        data = replace(receipt, record=_later(receipt.record)).encode()
    else:
        opened = loads_object(files[path])
        data = dumps({**opened, "record": b64u(_later(b64u_decode(opened["record"])))})
    return relisted({**files, path: data}), path


def _later(record: bytes) -> bytes:
    value = loads_object(record)
    return dumps({**value, "at": value["at"] + 1})


def swapped_entries(files: Files, dice: Dice) -> tuple[Files, str]:
    """Two neighbours of the log, or two proofs, change places."""
    bundles = paths(files, "tile/entries/")
    if not bundles:
        left = dice.of(paths(files, "log/"))
        right = dice.of([path for path in paths(files, "log/") if path != left])
        return relisted({**files, left: files[right], right: files[left]}), left
    path = dice.of(bundles)
    entries = parse_bundle(files[path])
    at = dice.below(len(entries) - 1)
    entries[at], entries[at + 1] = entries[at + 1], entries[at]
    number = parse_tile_path(path).index * 256 + at
    return relisted({**files, path: bundle_bytes(entries)}), f"entry {number}"


def withheld_record(files: Files, dice: Dice) -> tuple[Files, str]:
    """A record without which the story cannot have gone on."""
    shown = {path: _record(path, data) for path, data in files.items() if path.startswith(("log/", "records/"))}
    gone = dice.of(sorted(path for path, record in shown.items() if record["kind"] in _OF_THE_STORY))
    return relisted({path: data for path, data in files.items() if path != gone}), ""


def _record(path: str, data: bytes) -> Mapping[str, object]:
    if path.startswith("log/"):
        return loads_object(parse_receipt(data).record)
    return loads_object(b64u_decode(loads_object(data)["record"]))


def older_checkpoint(files: Files, dice: Dice) -> tuple[Files, str]:
    """The log as it stood earlier, under a note that the witnesses have truly signed."""
    path = dice.of(paths(files, "checkpoints/"))
    size = int(files[path].splitlines()[1])
    return with_list({**files, "checkpoint": files[path]}, {**_header(files), "checkpoint_size": size}), ""


def _header(files: Files) -> dict[str, object]:
    return {name: value for name, value in json.loads(files["bundle.json"]).items() if name != "files"}


def changed_signature_of_a_note(files: Files, dice: Dice) -> tuple[Files, str]:
    """One signature of the log or of a witness no longer verifies."""
    path = dice.of(paths(files, "checkpoint", "checkpoints/"))
    lines = files[path].decode().splitlines(keepends=True)
    number = dice.of([n for n, line in enumerate(lines) if line.startswith("\N{EM DASH} ")])
    lines[number] = _other_character(lines[number], len(lines[number]) - 12)
    return relisted({**files, path: "".join(lines).encode()}), path


def changed_consistency(files: Files, dice: Dice) -> tuple[Files, str]:
    """A proof that an older checkpoint is a beginning of the newest one.

    Where the whole log is given, older roots are computed from it and no proof is needed: the list shows the change.
    """
    path = dice.of([path for path in paths(files, "consistency/") if files[path]])
    changed = {**files, path: _other_character(files[path].decode(), 4).encode()}
    if paths(files, "tile/"):
        return changed, path
    return relisted(changed), path.split("/")[1].split("-")[0]


def _other_character(text: str, at: int) -> str:
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def changed_part(files: Files, dice: Dice) -> tuple[Files, str]:
    """A bit of a ciphertext, and the list repaired."""
    path = dice.of(paths(files, "parts/"))
    return relisted({**files, path: flip(files[path], dice)}), path.split("/")[1].split(".")[0]


def rewritten_log(signer: LogSigner) -> Tampering:
    """The operator changes a record, rebuilds chain and tree and signs with the log's key; no witness signs (F32)."""

    def rewritten(files: Files, dice: Dice) -> tuple[Files, str]:
        old = [parse_entry(entry) for path in paths(files, "tile/entries/") for entry in parse_bundle(files[path])]
        changed, previous, entries = f"records/{dice.below(len(old))}.json", genesis(signer.origin), []
        records = {path: files[path] for path in paths(files, "records/")}
        opened = loads_object(records[changed])
        records[changed] = dumps({**opened, "record": b64u(_later(b64u_decode(opened["record"])))})
        for entry in old:
            opened = loads_object(records[f"records/{entry.n}.json"])
            h = record_commitment(bytes.fromhex(opened["nonce"]), b64u_decode(opened["record"]))
            entries.append(entry_bytes(h, entry.n, previous, entry.t))
            previous = leaf_hash(entries[-1])
        tree = GrowingTree()
        tree.extend(entries)
        signed = signer.sign(Checkpoint(origin=signer.origin, size=tree.size, root=tree.root()))
        gone = ("tile/", "checkpoints/", "consistency/")
        kept = {path: data for path, data in files.items() if not path.startswith(gone)}
        note = {"checkpoint": signed.note.encode()}
        return relisted({**kept, **records, **dict(tree.take_files()), **note}), "checkpoint"

    return rewritten


BY_FILES: tuple[Tampering, ...] = (
    *map(
        by_files_alone,
        (
            told.flipped_file,
            told.removed_file,
            told.added_file,
            told.flipped_and_listed,
            told.removed_document,
            told.removed_signature,
            told.swapped_signatures,
            told.changed_document,
            told.changed_header,
        ),
    ),
    changed_record,
    swapped_entries,
    withheld_record,
    older_checkpoint,
    changed_signature_of_a_note,
    changed_consistency,
    changed_part,
)
