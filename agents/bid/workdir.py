"""The bidder's working directory: everything about one bid except its secrets, kept so that nothing is lost on failure.

``bid.json`` names the bid; ``package.json`` is the policy package as received; ``trust.json`` the reader's own trust
file; ``versions/<seq>/`` holds each version with parts, acknowledgement and receipts. Secrets stand only in the
encrypted opening packages ``<bid>-<seq>.mbkey``. Every file is written whole or not at all.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trading.bids.rules.envelope import Envelope, Withdrawal, parse_envelope, parse_withdrawal
from trading.bids.rules.policy import CheckedPackage, PolicyPackage, check_package
from trading.bids.rules.trust import TrustFile, parse_trust
from trading.crypto.files import write_secret
from trading.crypto.signatures import SignedDocument, verify_signature
from trading.kernel import canonical, fields
from trading.kernel.errors import Conflict, InvalidInput, NotFound

INTAKE_RECEIPT: Final = "intake-receipt.tlog-proof"  # of the supervisor's intake (SB1 S7.6)
BID: Final = fields.Table(
    "mb.client-bid",
    {
        "api": fields.text,
        "bid": fields.matching(r"[a-z0-9-]{1,40}"),
        "bidder": fields.matching(r"[0-9A-Z]{8,32}"),
        "lot": fields.text,
        "stage": fields.one_of("all", "price", "tech"),
        "tender": fields.text,
    },
)
PROGRESS: Final = fields.Table(
    "mb.client-progress",
    {
        "code": fields.nullable(fields.text),
        "h": fields.nullable(fields.digest),
        "state": fields.one_of("sealed", "sent", "accepted", "refused"),
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BidName:
    """Which bid this directory is about, and at which platform."""

    api: str
    bid: str
    bidder: str
    lot: str
    stage: str
    tender: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a version has got.

    ``sealed``: never sent. ``sent``: an attempt was made and its outcome is unknown until the platform answers.
    ``accepted``: acknowledged; ``h`` is the commitment of its record. ``refused``: refused with ``code``, not standing.
    """

    state: str
    code: str | None = None
    h: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of the bid on disk."""

    directory: Path
    seq: int

    @property
    def signed(self) -> SignedDocument:
        """Return the envelope or withdrawal exactly as signed."""
        return SignedDocument.from_wire((self.directory / "document.json").read_bytes())

    @property
    def document(self) -> Envelope | Withdrawal:
        """Return the parsed envelope or withdrawal."""
        raw = self.signed.doc
        return parse_withdrawal(raw) if fields.type_of(raw) == "sb1.withdrawal" else parse_envelope(raw)

    @property
    def progress(self) -> Progress:
        """Return how far it has got."""
        path = self.directory / "progress.json"
        return Progress(**PROGRESS.read(path.read_bytes())) if path.exists() else Progress(state="sealed")

    @property
    def at_intake(self) -> bool:
        """Return whether it stands by a receipt of the supervisor's intake, and not yet by one of the platform."""
        of_platform = (self.directory / "receipt.tlog-proof").exists()
        return self.progress.state == "accepted" and (self.directory / INTAKE_RECEIPT).exists() and not of_platform

    def mark(self, state: str, *, code: str | None = None, h: str | None = None) -> None:
        """Record how far it has got, durably, before the next step is taken."""
        raw = PROGRESS.write({"code": code, "h": h, "state": state})
        write_secret(self.directory / "progress.json", raw, replace=True)

    def part(self, name: str) -> Path:
        """Return the file of an encrypted part."""
        return self.directory / "parts" / f"{name}.age"

    def keep(self, name: str, data: bytes) -> Path:
        """Keep a file that the platform returned; every version of it, newest last, nothing overwritten."""
        path = self.directory / name
        number = 1
        while path.exists() and path.read_bytes() != data:
            number += 1
            path = self.directory / f"{Path(name).stem}-{number}{Path(name).suffix}"
        if not path.exists():
            write_secret(path, data)
        return path


@dataclass(frozen=True, slots=True)
class WorkDir:
    """The directory of one bid."""

    path: Path

    @classmethod
    def create(cls, path: Path, name: BidName, trust: bytes) -> WorkDir:
        """Make the directory, or return the existing one of the very same bid.

        Raises:
            Conflict: The directory is about another bid, or was started under another trust file.
        """
        work = cls(path)
        (path / "versions").mkdir(mode=0o700, parents=True, exist_ok=True)
        raw = BID.write({field: getattr(name, field) for field in BID.fields})
        for file, content in (("bid.json", raw), ("trust.json", trust)):
            target = path / file
            if target.exists():
                if target.read_bytes() != content:
                    raise Conflict(f"{target} is of another bid or trust file; use another directory")
            else:
                write_secret(target, content)
        return work

    @property
    def name(self) -> BidName:
        """Return which bid it is."""
        return BidName(**BID.read((self.path / "bid.json").read_bytes()))

    @property
    def trust(self) -> TrustFile:
        """Return the reader's own trust file, pinned when the bid was started.

        Raises:
            NotFound: Not the directory of a bid.
        """
        path = self.path / "trust.json"
        if not path.exists():
            raise NotFound(f"{self.path} holds no bid; run: mingbiao bid start")
        return parse_trust(path.read_bytes())

    def keep_package(self, package: PolicyPackage) -> CheckedPackage:
        """Check a policy package against the trust file, and only then keep it as the current one.

        Raises:
            InvalidInput, RuleBroken: as ``check_package``; ``policy.mismatch`` if it is of another lot.
        """
        checked = self._check(package)
        write_secret(self.path / "package.json", canonical.dumps(package.wire()), replace=True)
        return checked

    def package(self) -> CheckedPackage:
        """Return the current policy package, checked again: the file may have been touched."""
        raw = (self.path / "package.json").read_bytes()
        return self._check(PolicyPackage.from_wire(canonical.loads_object(raw)))

    def _check(self, package: PolicyPackage) -> CheckedPackage:
        checked = check_package(package, self.trust, verify_signature)
        name = self.name
        if checked.policy.place != (name.tender, name.lot, name.stage):
            raise InvalidInput("policy.mismatch", "the policy package is of another tender, lot or stage")
        return checked

    def versions(self) -> list[Version]:
        """Return the versions in order; those set aside are not among them."""
        found = [path for path in (self.path / "versions").iterdir() if path.name.isdigit()]
        return sorted((Version(directory=path, seq=int(path.name)) for path in found), key=lambda item: item.seq)

    def head(self) -> Version | None:
        """Return the newest version that the platform has accepted."""
        accepted = [version for version in self.versions() if version.progress.state == "accepted"]
        return accepted[-1] if accepted else None

    def pending(self) -> Version | None:
        """Return the version that is sealed or sent and not yet answered."""
        waiting = [version for version in self.versions() if version.progress.state in {"sealed", "sent"}]
        return waiting[-1] if waiting else None

    def handed_over(self) -> Version | None:
        """Return the version that stands at the supervisor's intake alone."""
        head = self.head()
        return head if head is not None and head.at_intake else None

    def refused(self) -> Version | None:
        """Return the newest version if the platform has refused it."""
        versions = self.versions()
        return versions[-1] if versions and versions[-1].progress.state == "refused" else None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory for one command at a time.

        Raises:
            Conflict: Another command works on it.
        """
        with (self.path / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Conflict(f"another command works on {self.path}") from error
            yield

    def next_place(self) -> tuple[int, str | None]:
        """Return ``seq`` and ``supersedes`` of the next version; clears the place of one that does not stand.

        Raises:
            Conflict: A version was sent and its outcome is unknown: it must be sent again first.
        """
        head = self.head()
        seq = 1 if head is None else head.seq + 1
        for version in self.versions():
            if version.seq >= seq:
                if version.progress.state == "sent":
                    raise Conflict(f"version {version.seq} was sent and not answered; run: mingbiao bid submit")
                self._set_aside(version)
        return seq, None if head is None else head.signed.sha256

    def _set_aside(self, version: Version) -> None:
        """Rename what was sealed and never stood, with its opening package; nothing is deleted."""
        number = 1
        while (aside := version.directory.with_name(f"{version.seq}.set-aside-{number}")).exists():
            number += 1
        version.directory.rename(aside)

    def package_file(self, seq: int) -> Path:
        """Return where the opening package of a version stands by default."""
        return self.path / f"{self.name.bid}-{seq}.mbkey"

    def diagnose(self, facts: dict[str, Any]) -> Path:
        """Save a diagnostic of a client fault; the caller passes no secret."""
        number = 1
        while (path := self.path / f"diagnostic-{number}.json").exists():
            number += 1
        path.write_text(json.dumps(facts, ensure_ascii=False, indent=1))
        return path
