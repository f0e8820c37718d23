"""``mingbiao bid check``: look at everything in the directory again, offline, by the bidder's own trust file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from agents.bid import intake
from agents.bid.receipts import check_receipt, of_version
from agents.bid.workdir import Version, WorkDir
from trading.audit.rules.proof import ReceiptState
from trading.bids.rules.envelope import Envelope, require_policy
from trading.bids.rules.package import parse_package
from trading.crypto.envelope import require_part_shape
from trading.crypto.files import read_secret
from trading.crypto.shares import commit_seed, deal
from trading.kernel import fields
from trading.kernel.errors import InvalidInput, MingbiaoError

_HEADER: Final = 65536


class Report:
    """Lines of a check; ``exit_code`` as P11: 0 all passed, 1 something failed, 2 something could not be checked."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._failed = False
        self._gaps = False

    def run(self, what: str, check: Callable[[], None]) -> None:
        """Run one check and tell its result."""
        try:
            check()
        except (MingbiaoError, OSError, ValueError) as error:
            self._failed = True
            self._tell(f"FAIL {what}: {error}")
        else:
            self._tell(f"ok   {what}")

    def gap(self, what: str) -> None:
        """Tell that something could not be checked."""
        self._gaps = True
        self._tell(f"not checked  {what}")

    @property
    def exit_code(self) -> int:
        """Return the exit code; a failure wins over a gap."""
        return 1 if self._failed else 2 if self._gaps else 0


def check_directory(work: WorkDir, report: Report, open_package: Callable[[Path], bytes] | None) -> None:
    """Check policy package, every version, its parts and receipts, and the opening packages.

    Args:
        work: The directory.
        report: Where the results go.
        open_package: Decrypts an opening package; ``None`` leaves them unchecked.
    """
    report.run("policy package", lambda: _nothing(work.package()))
    for version in work.versions():
        name = f"version {version.seq}"
        document = version.document
        if isinstance(document, Envelope):
            report.run(f"{name}: envelope and parts", lambda v=version, d=document: _check_envelope(work, v, d))  # type: ignore[misc]
            _check_package(work, report, version, open_package)
        _check_receipts(work, report, version)


def _nothing(_value: object) -> None:
    """Drop a value: the check was to compute it."""


def _check_envelope(work: WorkDir, version: Version, document: Envelope) -> None:
    policy = work.package().policy
    if document.policy_sha256 == policy.sha256:
        require_policy(document, policy)
    for part in document.parts:
        path = version.part(part.name)
        with path.open("rb") as file:
            head = file.read(_HEADER)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if (digest, path.stat().st_size) != (part.sha256, part.size):
            raise InvalidInput("bid.part_mismatch", f"{path} differs from the envelope")
        same_policy = document.policy_sha256 == policy.sha256
        require_part_shape(head, part.size, policy.price_bytes if part.name == "price" and same_policy else None)


def _check_package(
    work: WorkDir, report: Report, version: Version, open_package: Callable[[Path], bytes] | None
) -> None:
    path = work.package_file(version.seq)
    what = f"version {version.seq}: opening package {path.name}"
    if open_package is None or not path.exists():
        report.gap(what)
        return

    def check() -> None:
        package = parse_package(open_package(path))
        if package.signed != version.signed:
            raise InvalidInput("package.other_bid", "the package holds another envelope")
        envelope, ctx = package.envelope, package.envelope.context.bytes()
        if commit_seed(package.s_c, package.s_b, ctx) != envelope.seed_commit:
            raise InvalidInput("package.other_bid", "the secrets are not those of the envelope")
        policy = work.package().policy
        if envelope.policy_sha256 == policy.sha256:
            again = deal(package.s_c, ctx, policy.k, policy.n).commitments
            if again != tuple(share.c for share in envelope.shares):
                raise InvalidInput("package.other_bid", "the shares are not those of the envelope")

    report.run(what, check)


def _check_receipts(work: WorkDir, report: Report, version: Version) -> None:
    signed = version.signed
    expected = of_version(fields.type_of(signed.doc), signed.sha256, work.name.bid)
    best: list[ReceiptState] = []
    for path in sorted(version.directory.glob("receipt*.tlog-proof")):
        report.run(
            f"version {version.seq}: {path.name}",
            lambda path=path: best.append(check_receipt(path.read_bytes(), work.trust, expected).state),  # type: ignore[misc]
        )
    for path in sorted(version.directory.glob("intake-receipt*.tlog-proof")):
        report.run(
            f"version {version.seq}: {path.name}",
            lambda path=path: best.append(intake.check_receipt(work, version, path.read_bytes()).verified.state),  # type: ignore[misc]
        )
    if version.progress.state == "accepted" and ReceiptState.WITNESSED not in best:
        report.gap(f"version {version.seq}: no witnessed receipt yet")


def read_package(path: Path, unlock: Callable[[bytes, str], bytes], passphrase: str) -> bytes:
    """Return the decrypted bytes of an opening package.

    Raises:
        InvalidInput: ``key.file_mode`` or ``package.wrong_passphrase``.
    """
    return unlock(read_secret(path), passphrase)
