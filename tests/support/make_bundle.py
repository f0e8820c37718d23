"""Bundles made by hand from a told tender: the executable reference of docs/bundle-format.md (AL1 L12.1)."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from tests.support.made_bidding import bid_round, close_bidding
from tests.support.made_bids import Signer
from tests.support.made_log import MadeLog, b64u, sha256
from tests.support.made_opening import factor_window, order_opening, release_shares
from tests.support.made_result import open_bids, rank
from tests.support.made_tender import LOT, TENDER, Scenario, Tender, Twist
from trading.kernel.canonical import dumps
from verifier.build import single_file_source

Files = dict[str, bytes]


def trust_file(tender: Tender) -> tuple[bytes, bytes]:
    """``mb.trust`` and its signature array (P8)."""
    signers = [tender.agency, tender.supervisor, tender.operator, *tender.institutions]
    return make_trust(tender.log, signers, tender.supervisor)


def make_trust(log: MadeLog, signers: list[Signer], supervisor: Signer) -> tuple[bytes, bytes]:
    rows = [
        {"alg": "ES256", "key": b64u(signer.spki), "kid": signer.kid, "name": signer.name, "role": signer.role}
        for signer in signers
    ]
    document = dumps(
        {
            "institutions": sorted(rows, key=lambda row: row["kid"]),
            "issued": 1_769_000_000_000,
            "log_policy": log.policy,
            "origin": log.origin,
            "release_sha256": [sha256(single_file_source()).hex()],
            "seq": 1,
            "supersedes": None,
            "tsa": [{"cert": b64u(cert), "name": name} for name, cert in log.stampers.items()],
            "typ": "mb.trust",
            "v": 1,
            "x509_roots": [],
        }
    )
    return document, dumps([supervisor.sign(document)])


def bundle_files(tender: Tender, kind: str, tier: str) -> Files:
    """Everything but ``bundle.json``.

    ``public`` shows the records of the procedure, without bids that were not opened, and the documents of the tier;
    ``auditor`` all records of the procedure; ``audit`` the whole log with every record.
    """
    log = tender.log
    document, signature = trust_file(tender)
    files: Files = {
        "checkpoint": tender.checkpoint.encode(),
        "trust.json": document,
        "trust.sig": signature,
        "verify.py": single_file_source(),
    }
    add_checkpoints(files, log)
    files.update(log.tokens)
    for name, (data, sigs) in tender.documents.items():
        if tier == "log" or (tier != "audit" and name in tender.secret):
            continue
        if tier == "public" and b'"tier":"bidders"' in data:
            continue
        files[f"docs/{name}.json"] = data
        if sigs:
            files[f"docs/{name}.sig"] = dumps(sigs)
    files.update({f"parts/{name}.age": data for name, data in shown_parts(tender, tier).items()})
    if kind == "audit":
        files.update(log.tiles())
        for entry in log.entries:
            files[f"records/{entry.n}.json"] = dumps(
                {"nonce": entry.nonce.hex(), "record": b64u(entry.record), "t": entry.t}
            )
        return files
    for entry in log.entries:
        unseen = entry.kind == "log.pad" or (kind == "public" and entry.n in tender.hidden)
        if not unseen:
            files[f"log/{entry.n}.tlog-proof"] = log.proof(entry, tender.checkpoint)
    return files


def add_checkpoints(files: Files, log: MadeLog) -> None:
    """Other witnessed notes and the consistency proofs to the main one."""
    size = len(log.entries)
    for smaller, notes in log.notes.items():
        if smaller == size:
            continue
        files[f"checkpoints/{smaller}-first"] = notes[0].encode()
        if len(notes) > 1:
            files[f"checkpoints/{smaller}-last"] = notes[-1].encode()
        files[f"consistency/{smaller}-{size}"] = log.consistency(smaller)


def shown_parts(tender: Tender, tier: str) -> Files:
    """Price ciphertexts for bidders, all ciphertexts of listed bids for auditors."""
    if tier in ("public", "log"):
        return {}
    names = ("price",) if tier == "bidders" else ("main", "price")
    bids = [bid.sealed for bid in tender.ordered if bid.number != tender.scenario.part_lost]
    return {sha256(bid.parts[name]).hex(): bid.parts[name] for bid in bids for name in names}


def with_list(files: Files, header: dict[str, Any]) -> Files:
    """Add ``bundle.json`` for the files as they are."""
    rows = [
        {"path": path, "sha256": sha256(data).hex(), "size": len(data)}
        for path, data in files.items()
        if path != "bundle.json"
    ]
    listed = dumps({**header, "files": sorted(rows, key=lambda row: str(row["path"]).encode())})
    return {**files, "bundle.json": listed}


def make_bundle(tender: Tender, kind: str = "public", tier: str = "bidders") -> Files:
    """A complete bundle as path -> bytes."""
    whole = kind == "audit"
    header = {
        "checkpoint_size": len(tender.log.entries),
        "kind": kind,
        "lot": None if whole else LOT["lot"],
        "origin": tender.log.origin,
        "procedure": None if whole else TENDER,
        "stage": None if whole else LOT["stage"],
        "tier": tier,
        "typ": "mb.bundle",
        "v": 1,
    }
    return with_list(bundle_files(tender, kind, tier), header)


def write_zip(files: Files, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return path


def write_directory(files: Files, root: Path) -> Path:
    for name, data in files.items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return root


def tell(scenario: Scenario, twist: Twist | None = None) -> Tender:
    """Play the whole story of a scenario, from the first key to the result notice; ``twist`` makes it a lie."""
    tender = Tender(scenario, twist)
    tender.register()
    tender.fix_policy()
    tender.publish()
    bid_round(tender)
    close_bidding(tender)
    tender.log.witness(tender.now)
    order_opening(tender)
    factor_window(tender)
    release_shares(tender)
    open_bids(tender)
    rank(tender)
    tender.log.append("log.pad", {}, at=tender.now, subject="log", procedure=None)
    tender.checkpoint = tender.log.witness(tender.now + 1000)
    return tender
