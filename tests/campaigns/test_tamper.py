"""Tampering with whole bundles: every change is found and its place named; clean bundles never raise an alarm.

A normal run plays 60 tamperings, ``MINGBIAO_CAMPAIGN=long`` 1,000 (AL1 L12.2). Each is drawn from a seed that a
failure prints; the choices are the same in every run. The controls at the end are verifiers with one check removed:
they must miss what the check is for (AL1 L17.1), or the campaign proves nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

import pytest

from tests.support.campaigns import LONG
from tests.support.made_log import Entry, MadeLog, b64u, entry_tiles, hash_tiles, sha256
from tests.support.made_tender import SCENARIOS, Tender
from tests.support.make_bundle import Files, bundle_files, make_bundle, with_list
from tests.support.verifying import failures, told_once, verify
from trading.kernel.canonical import dumps
from verifier.report import Report
from verifier.verification import Options

T = TypeVar("T")
ROUNDS = 1000 if LONG else 60
CLEAN_ROUNDS = 50 if LONG else 5
KINDS = (("public", "bidders"), ("auditor", "audit"), ("audit", "audit"))
STORIES = ("clean", "bad_share", "two_lost", "replaced", "tie", "extended", "missing_factor")


class Dice:
    """Choices that follow from a seed alone."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._turn = 0

    def below(self, bound: int) -> int:
        self._turn += 1
        return int.from_bytes(sha256(f"{self._seed}/{self._turn}".encode())[:8], "big") % bound

    def of(self, items: list[T]) -> T:
        return items[self.below(len(items))]


def flip(data: bytes, dice: Dice) -> bytes:
    changed = bytearray(data)
    changed[dice.below(len(data))] ^= 1 << dice.below(8)
    return bytes(changed)


def paths(files: Files, *starts: str, ends: str = "") -> list[str]:
    return sorted(path for path in files if path.startswith(starts) and path.endswith(ends))


def relisted(files: Files) -> Files:
    header = json.loads(files["bundle.json"])
    return with_list(files, {name: value for name, value in header.items() if name != "files"})


Tampering = Callable[[Files, Tender, Dice], tuple[Files, str]]


def flipped_file(files: Files, _: Tender, dice: Dice) -> tuple[Files, str]:
    """A bit anywhere, the list not repaired."""
    path = dice.of(paths(files, ""))
    return {**files, path: flip(files[path], dice)}, path


def removed_file(files: Files, _: Tender, dice: Dice) -> tuple[Files, str]:
    path = dice.of(paths(files, ""))
    return {name: data for name, data in files.items() if name != path}, path


def added_file(files: Files, _: Tender, dice: Dice) -> tuple[Files, str]:
    path = f"docs/{sha256(bytes([dice.below(256)])).hex()}.json"
    return {**files, path: b"{}"}, path


def flipped_and_listed(files: Files, _: Tender, dice: Dice) -> tuple[Files, str]:
    """A bit in a file that carries evidence; the attacker repairs the list."""
    path = dice.of(paths(files, "docs/", "parts/", "log/", "records/", "tile/"))
    return relisted({**files, path: flip(files[path], dice)}), path.split("/")[0]


def removed_document(files: Files, _: Tender, dice: Dice) -> tuple[Files, str]:
    """A document that a record names, with its signatures; the list repaired."""
    named = {json.dumps(json.loads(data)) for path, data in files.items() if path.startswith("records/")}
    path = dice.of([path for path in paths(files, "docs/", ends=".json") if not files[path].startswith(b'{"account"')])
    gone = {path, path[:-5] + ".sig"}
    del named
    return relisted({name: data for name, data in files.items() if name not in gone}), path[5:-5]


def removed_signature(files: Files, _: Tender, dice: Dice) -> tuple[Files, str]:
    path = dice.of(paths(files, "docs/", ends=".sig"))
    return relisted({name: data for name, data in files.items() if name != path}), path[:-4]


def swapped_signatures(files: Files, _: Tender, dice: Dice) -> tuple[Files, str]:
    left = dice.of(paths(files, "docs/", ends=".sig"))
    right = dice.of([path for path in paths(files, "docs/", ends=".sig") if files[path] != files[left]])
    return relisted({**files, left: files[right], right: files[left]}), left[:-4]


def changed_document(files: Files, _: Tender, dice: Dice) -> tuple[Files, str]:
    """A notice, order, policy … says something else; name and list are repaired, the signature cannot be."""
    path = dice.of(paths(files, "docs/", ends=".json"))
    value = json.loads(files[path])
    numbers = [name for name, item in value.items() if isinstance(item, int) and name != "v"]
    texts = [name for name, item in value.items() if isinstance(item, str) and name != "typ"]
    name = dice.of(sorted(numbers + texts))
    value[name] = value[name] + 1 if name in numbers else value[name] + "x"
    data = dumps(value)
    changed = {key: item for key, item in files.items() if not key.startswith(path[:-5])}
    changed[f"docs/{sha256(data).hex()}.json"] = data
    if path[:-5] + ".sig" in files:
        changed[f"docs/{sha256(data).hex()}.sig"] = files[path[:-5] + ".sig"]
    return relisted(changed), ""


def changed_record(files: Files, tender: Tender, dice: Dice) -> tuple[Files, str]:
    """A price, time or name inside a record; the entry stays as it was logged."""
    entry = dice.of([entry for entry in tender.log.entries if shown(files, entry)])
    value = json.loads(entry.record)
    value["at"] += 1
    for name in ("price", "bidder", "received_at", "envelope_sha256"):
        if name in value["body"]:
            value["body"][name] = {"total": 1} if name == "price" else value["body"][name]
    changed = Entry(entry.n, entry.t, entry.p, entry.h, entry.nonce, dumps(value), entry.kind, value, entry.data)
    return relisted({**files, **shown_entry(files, tender, changed)}), f"/{entry.n}."


def shown(files: Files, entry: Entry) -> bool:
    return f"log/{entry.n}.tlog-proof" in files or f"records/{entry.n}.json" in files


def shown_entry(files: Files, tender: Tender, entry: Entry) -> Files:
    if f"records/{entry.n}.json" in files:
        opened = {"nonce": entry.nonce.hex(), "record": b64u(entry.record), "t": entry.t}
        return {f"records/{entry.n}.json": dumps(opened)}
    return {f"log/{entry.n}.tlog-proof": tender.log.proof(entry, tender.checkpoint)}


def swapped_entries(files: Files, tender: Tender, dice: Dice) -> tuple[Files, str]:
    """Two neighbours change places, in the tiles or in the proofs."""
    n = dice.below(len(tender.log.entries) - 1)
    entries = [entry.data for entry in tender.log.entries]
    entries[n], entries[n + 1] = entries[n + 1], entries[n]
    if "tile/entries/000" in files or paths(files, "tile/entries/"):
        return relisted({**files, **entry_tiles(entries)}), f"entry {n}"
    left, right = dice.of(paths(files, "log/")), dice.of(paths(files, "log/"))
    right = right if right != left else paths(files, "log/")[0 if left != paths(files, "log/")[0] else 1]
    return relisted({**files, left: files[right], right: files[left]}), left


def deleted_entry(files: Files, tender: Tender, dice: Dice) -> tuple[Files, str]:
    """An entry is cut out of the tiles, or the middle of a public story is withheld."""
    n = dice.below(len(tender.log.entries) - 1)
    if paths(files, "tile/entries/"):
        kept = [entry.data for entry in tender.log.entries if entry.n != n]
        hashes = [sha256(b"\0" + data) for data in kept]
        base = {path: data for path, data in files.items() if not path.startswith("tile/")}
        return relisted({**base, **entry_tiles(kept), **hash_tiles(hashes)}), "tile/entries"
    wanted = ("bid.received", "tender.closed", "open.ordered", "factor.closed", "opening.combined", "bid.opened")
    gone = dice.of([entry for entry in tender.log.entries if entry.kind in wanted and shown(files, entry)])
    path = f"log/{gone.n}.tlog-proof"
    return relisted({name: data for name, data in files.items() if name != path}), ""


def truncated_log(files: Files, tender: Tender, dice: Dice) -> tuple[Files, str]:
    """The newest entries are left out under an older, properly witnessed checkpoint."""
    smaller = dice.of(sorted(size for size in tender.log.notes if size < len(tender.log.entries)))
    header = {name: value for name, value in json.loads(files["bundle.json"]).items() if name != "files"}
    old = tender.log.notes[smaller][-1].encode()
    return with_list({**files, "checkpoint": old}, {**header, "checkpoint_size": smaller}), ""


def changed_note(files: Files, _: Tender, dice: Dice) -> tuple[Files, str]:
    """A cosignature that does not verify: the last bytes of a witness line."""
    path = dice.of(paths(files, "checkpoint"))
    lines = files[path].decode().splitlines(keepends=True)
    number = dice.of([i for i, line in enumerate(lines) if "witness" in line])
    lines[number] = lines[number][:-13] + ("AAAAAAAAAA==\n" if lines[number].endswith("==\n") else "AAAAAAAAAAA=\n")
    return relisted({**files, path: "".join(lines).encode()}), path


def changed_consistency(files: Files, _: Tender, dice: Dice) -> tuple[Files, str]:
    path = dice.of([path for path in paths(files, "consistency/") if files[path]])
    if paths(files, "tile/"):
        return flipped_file(files, _, dice)
    return relisted({**files, path: b"A" * 43 + b"=\n" + files[path][45:]}), path.split("/")[1].split("-")[0]


def changed_header(files: Files, _: Tender, dice: Dice) -> tuple[Files, str]:
    header = {name: value for name, value in json.loads(files["bundle.json"]).items() if name != "files"}
    field, value = dice.of(
        [("checkpoint_size", header["checkpoint_size"] - 1), ("origin", "log.example/other"), ("typ", "mb.other")]
    )
    return with_list(files, {**header, field: value}), "bundle.json"


def rewritten_log(files: Files, tender: Tender, dice: Dice) -> tuple[Files, str]:
    """The operator changes one record, rebuilds chain and tree and signs with the log key; no witness signs."""
    forged = forge(tender.log, dice.below(len(tender.log.entries) - 1))
    text = forged.text()
    copy = Forgery(tender, forged, text + "\n" + forged.signer.line(text))
    header = {name: value for name, value in json.loads(files["bundle.json"]).items() if name != "files"}
    rebuilt = bundle_files(copy.tender, header["kind"], header["tier"])
    return with_list(rebuilt, header), ""


def forge(log: MadeLog, n: int) -> MadeLog:
    """The same log with the instant of record ``n`` changed by a second."""
    forged = MadeLog(log.origin)
    for entry in log.entries:
        at = entry.value["at"] + (1000 if entry.n == n else 0)
        forged.append(
            entry.kind, entry.value["body"], at=at, subject=entry.value["subject"], procedure=entry.value["procedure"]
        )
    forged.notes = log.notes
    return forged


class Forgery:
    """A told tender over another log."""

    def __init__(self, tender: Tender, log: MadeLog, checkpoint: str) -> None:
        self.tender = Tender(tender.scenario)
        self.tender.__dict__.update(tender.__dict__, log=log, checkpoint=checkpoint)


TAMPERINGS: tuple[Tampering, ...] = (
    flipped_file,
    removed_file,
    added_file,
    flipped_and_listed,
    removed_document,
    removed_signature,
    swapped_signatures,
    changed_document,
    changed_record,
    swapped_entries,
    deleted_entry,
    truncated_log,
    changed_note,
    changed_consistency,
    changed_header,
    rewritten_log,
)


def text_of(report: Report) -> str:
    return "\n".join(line for lines in failures(report).values() for line in lines)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_every_tampering_is_found(seed: int) -> None:
    dice = Dice(seed)
    tamper = TAMPERINGS[seed % len(TAMPERINGS)]
    tender = told_once(STORIES[dice.below(len(STORIES))])
    kind, tier = KINDS[dice.below(len(KINDS))]
    files = make_bundle(tender, kind, tier)
    tampered, place = tamper(files, tender, dice)
    assert tampered != files
    report = verify(tampered, tender)
    assert report.exit_code == 1, f"{tamper.__name__} in {kind} of {tender.scenario.name} was not found"
    assert place in text_of(report), f"{tamper.__name__} at {place} was found elsewhere:\n{text_of(report)}"


@pytest.mark.parametrize("turn", range(CLEAN_ROUNDS))
def test_clean_bundles_raise_no_alarm(turn: int) -> None:
    names = sorted(SCENARIOS.keys() - {"copied", "pending"})
    tender = told_once(names[turn * 7 % len(names)])
    kind, tier = KINDS[turn % len(KINDS)]
    report = verify(make_bundle(tender, kind, tier), tender)
    assert (failures(report), report.exit_code) == ({}, 0)


def forged_middle(tender: Tender) -> Files:
    """A log with one false link in its chain, whose tiles, root and signatures fit: even the witnesses signed it."""
    log = MadeLog(tender.log.origin)
    for entry in tender.log.entries:
        made = log.append(
            entry.kind,
            entry.value["body"],
            at=entry.value["at"],
            subject=entry.value["subject"],
            procedure=entry.value["procedure"],
        )
        if made.n == 30:
            fields = json.loads(made.data)
            data = dumps({**fields, "p": "0" * 64})
            log.entries[-1] = Entry(
                made.n, made.t, bytes(32), made.h, made.nonce, made.record, made.kind, made.value, data
            )
    forgery = Forgery(tender, log, log.witness(tender.now + 1000))
    return make_bundle(forgery.tender, "audit", "log")


def test_control_a_verifier_without_the_chain_misses_a_forged_middle() -> None:
    tender = told_once("clean")
    files = forged_middle(tender)
    assert failures(verify(files, tender)) == {
        "AL-09": ["tile/entries: entry 30: p is not the leaf hash of the entry before"]
    }
    assert failures(verify(files, tender, Options(chained=False))) == {}


def forged_tail(tender: Tender) -> Files:
    """Entries rewritten from the middle on with a perfect chain, under the old witnessed root and old hash tiles."""
    forged = forge(tender.log, 30)
    old = make_bundle(tender, "audit", "log")
    opened = bundle_files(Forgery(tender, forged, tender.checkpoint).tender, "audit", "log")
    changed = {path: data for path, data in opened.items() if path.startswith(("tile/entries/", "records/"))}
    return relisted({**old, **changed})


def test_control_a_verifier_without_the_tree_misses_a_rewritten_tail() -> None:
    tender = told_once("clean")
    files = {path: data for path, data in forged_tail(tender).items() if not path.startswith("checkpoints/")}
    files = relisted(files)
    found = failures(verify(files, tender))
    assert found.keys() == {"AL-09"}
    assert any("root of the entries" in text for text in found["AL-09"])
    assert failures(verify(files, tender, Options(tiled=False))) == {}
