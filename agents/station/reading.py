"""Opening one bid after the combine pass: derive identities, decrypt, read (SB1 S9.9, S10 rows 11 to 13).

The parts are read again from the very files that were hashed; whatever they hold is hostile.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agents.station.combine import Combined, Secrets
from trading.bids.rules.context import BidContext
from trading.bids.rules.envelope import Envelope, Part
from trading.bids.rules.manifest import Manifest, read_main
from trading.bids.rules.policy import Policy
from trading.bids.rules.price import Price, parse_price
from trading.crypto.envelope import decrypt_part, decrypt_part_file, derive_identity
from trading.kernel.canonical import loads_object
from trading.kernel.errors import IntegrityFailure, InvalidInput, RuleBroken
from trading.openings.rules.verdicts import Code, Verdict, verdict

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Opened:
    """One bid after the opening pass; identities are set for every part of the envelope once the secrets are known."""

    combined: Combined
    verdict: Verdict
    identity_price: str | None = None
    identity_main: str | None = None
    price: Price | None = None
    manifest: Manifest | None = None

    def result(self) -> dict[str, Any]:
        """Return the body that is posted: ``{"opened": …}`` or ``{"verdict": …}`` (docs/opening-api.md)."""
        source = self.combined.source
        if self.verdict.code is not Code.OK or source.envelope is None:
            return {"verdict": self.verdict.as_json(source.bid)}
        return {
            "opened": {
                "bid": source.bid,
                "bidder": source.envelope.bidder,
                "envelope_sha256": source.envelope_sha256,
                "manifest_sha256": None if self.manifest is None else self.manifest.sha256,
                "price": None if self.price is None else loads_object(self.price.raw),
                "price_sha256": None if self.price is None else self.price.sha256,
            }
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """Where the ciphertexts are, and where one bid's opened content goes."""

    parts: Path
    revealed: Path

    def ciphertext(self, sha256: str) -> Path:
        """Return the file of a ciphertext."""
        return self.parts / f"{sha256}.age"

    def of_bid(self, bid: str) -> Path:
        """Make and return ``revealed/<bid>``."""
        path = self.revealed / bid
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path


def open_bid(combined: Combined, policy: Policy, folder: Folder) -> Opened:
    """Open one bid whose verdict is OK so far; any other stays closed with its verdict."""
    envelope, secrets = combined.source.envelope, combined.secrets
    if combined.verdict.code is not Code.OK or envelope is None or secrets is None:
        return Opened(combined=combined, verdict=combined.settled)
    identities = {part.name: _identity(secrets, envelope.context, part) for part in envelope.parts}
    before = Opened(
        combined=combined,
        verdict=combined.verdict,
        identity_price=identities.get("price"),
        identity_main=identities.get("main"),
    )
    try:
        plaintexts = {part.name: _decrypt(part, identities[part.name], folder, envelope) for part in envelope.parts}
    except InvalidInput:
        return replace(before, verdict=verdict(replace(combined.facts, sealing_opens=False)))
    price, manifest, is_valid = _read(plaintexts, policy, envelope.context)
    facts = replace(combined.facts, sealing_opens=True, content_valid=is_valid)
    return replace(before, verdict=verdict(facts), price=price, manifest=manifest)


def _identity(secrets: Secrets, context: BidContext, part: Part) -> str:
    return derive_identity(secrets.s_c, secrets.s_b, context.bytes(), part.name)


def _decrypt(part: Part, identity: str, folder: Folder, envelope: Envelope) -> Path:
    """Decrypt one part into the bid's folder and return the plaintext's file.

    Raises:
        InvalidInput: ``bid.part_shape`` or ``seal.open_failed`` (row 11).
        IntegrityFailure: The stored file is no longer the one that was hashed.
    """
    source, target = folder.ciphertext(part.sha256), folder.of_bid(envelope.bid)
    require_same(source, part.sha256)
    if source.stat().st_size != part.size:
        raise InvalidInput("bid.part_shape", "the envelope states another size")
    _write(target / f"{part.name}.identity", identity.encode() + b"\n")
    _link(source, target / f"{part.name}.age")
    plaintext = target / f"{part.name}.opened"
    plaintext.unlink(missing_ok=True)
    if part.name == "price":
        _write(plaintext, decrypt_part(identity, source.read_bytes()))
    else:
        decrypt_part_file(identity, source, plaintext)
    return plaintext


def require_same(path: Path, sha256: str) -> None:
    """Raise ``IntegrityFailure`` unless the file still has its hash."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != sha256:
        raise IntegrityFailure(f"{path} changed after it was hashed")


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)


def _link(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    target.hardlink_to(source)


def _read(
    plaintexts: dict[str, Path], policy: Policy, context: BidContext
) -> tuple[Price | None, Manifest | None, bool]:
    """Return price and manifest, and whether everything is as S5 wants it (row 12)."""
    price: Price | None = None
    manifest: Manifest | None = None
    try:
        if "price" in plaintexts:
            if policy.price_bytes is None:
                raise IntegrityFailure("the policy has no price size")
            price = parse_price(plaintexts["price"].read_bytes(), policy.price_bytes, context)
        if "main" in plaintexts:
            with plaintexts["main"].open("rb") as file:
                manifest = read_main(file, context)
    except (InvalidInput, RuleBroken):
        return None, None, False
    return price, manifest, True
