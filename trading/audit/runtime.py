"""What one process of the platform holds while it runs: handed to views, errands and commands, never looked up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trading.audit.authorities import Authority
from trading.audit.ledger import Ledger
from trading.crypto.passwords import Passwords
from trading.crypto.signatures import Es256Signer
from trading.kernel.clock import Clock
from trading.storage.intake import IntakeCarrier
from trading.storage.objects import ObjectStore, OneStore
from trading.storage.pair import PairedStore


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeService:
    """The supervisor's intake (SB1 S7.6): the key of its log, the address that bidders see, who brings its lists."""

    vkey: str
    url: str
    carrier: IntakeCarrier | None = None  # only a worker has one

    @property
    def named(self) -> dict[str, str]:
        """Return what a schedule says of it (TE1 T2)."""
        return {"origin": self.vkey.partition("+")[0], "vkey": self.vkey}


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The ledger, the object store and the log's files of one process; ``ack`` only where the key may be (P1)."""

    ledger: Ledger
    objects: ObjectStore
    log_dir: Path  # tiles, checkpoint and witnessed notes, read only
    origin: str
    demo: bool
    clock: Clock
    ack: Es256Signer | None = None
    witness_policy: str = ""  # C2SP tlog-policy text of the trust file
    public_url: str = "http://localhost"  # of the pages, without a final slash; what is published names it
    passwords: Passwords = field(default_factory=Passwords)
    authorities: tuple[Authority, ...] = ()  # of time stamps (TE1 T8); only a worker asks them
    authority_roots: Callable[[], Mapping[str, tuple[bytes, ...]]] = dict  # by name, from the trust file as it is now
    upload_keep_ms: int = 7 * 86_400_000  # how long a part on its way is kept after its last chunk
    copies: PairedStore | None = None  # the same as ``objects``, where a second store is configured (SB1 S7.4)
    opened: OneStore | PairedStore | None = None  # files of opened bids, in clear; none: nobody opens files here
    bulk: OneStore | PairedStore | None = None  # files of open data; none: nobody makes any here
    spool: Path | None = None  # for what is on its way; none: the machine's own folder for such files
    intake: IntakeService | None = None  # named by the schedules of tenders that choose it
    ocid_prefix: str = "ocds-000000"  # registered for the publisher with the Open Contracting Partnership

    @property
    def named_intake(self) -> dict[str, str] | None:
        """Return what schedules may name as the supervisor's intake, or None."""
        return None if self.intake is None else self.intake.named
