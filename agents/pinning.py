"""The trust file that an agent has pinned: whom it believes, and how a later one replaces it (P8)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agents.history import origins
from agents.words import say
from trading.bids.rules.policy import require_signature
from trading.bids.rules.trust import TrustFile, parse_trust
from trading.crypto.files import write_secret
from trading.crypto.signatures import verify_signature
from trading.kernel.errors import InvalidInput
from trading.kernel.signed import SignedDocument

TRUST_FILE: Final = "trust.json"


class PinnedTrust:
    """The pinned trust file; a running agent follows when its person pins a later one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._trust: TrustFile | None = None

    def current(self) -> TrustFile | None:
        """Return the trust file as it is now; ``None`` before the first is pinned."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        stamp = status.st_mtime_ns, status.st_ino
        if stamp != self._stamp:
            self._trust, self._stamp = parse_trust(self._path.read_bytes()), stamp
        return self._trust


def pin_trust(directory: Path, signed: SignedDocument) -> TrustFile:
    """Pin a trust file: the first is the person's decision, a later one is signed by a supervisor of the one before.

    A later one may be for another log only if that continues the pinned one: its policy lists the pinned log, and what
    came before that, in the same order before its own (AL1 L13).

    Raises:
        InvalidInput: ``doc.…``, ``sig.missing``, ``sig.invalid``, or ``trust.not_newer``.
    """
    trust, path = parse_trust(signed.doc), directory / TRUST_FILE
    if path.exists():
        before = parse_trust(path.read_bytes())
        if before.sha256 == trust.sha256:
            return trust
        if trust.seq <= before.seq or not _follows(trust, before):
            raise InvalidInput("trust.not_newer", "not a later one for the same log, or for one that continues it")
        require_signature(signed, before, "supervisor", verify_signature)
    write_secret(path, signed.doc, replace=True)
    return trust


def pin_told(directory: Path, signed: SignedDocument) -> None:
    """Pin a trust file for a person who asked for it, and say which one is pinned now.

    Raises:
        InvalidInput: As ``pin_trust``.
    """
    trust = pin_trust(directory, signed)
    say(f"信任文件第 {trust.seq} 号，日志 {trust.origin}", f"Trust file {trust.seq} of {trust.origin}")


def _follows(trust: TrustFile, before: TrustFile) -> bool:
    """Whether it is for the log of the one before, or for one that continues it."""
    if trust.origin == before.origin:
        return True
    known = origins(before)
    return trust.demo == before.demo and origins(trust)[: len(known)] == known
