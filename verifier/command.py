"""The command: ``verify BUNDLE [--trust FILE] [--against CHECKPOINT]… [--production] [--json]``.

A receipt also takes ``[--envelope FILE] [--token FILE]…``. It opens no network connection and writes no file. Exit
codes: 0 everything in the tier was checked with trust given by ``--trust``, 1 something failed, 2 nothing failed but
something could not be checked (AL1 L12.3).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from verifier.attachment import PDF_LIMIT
from verifier.bundle import Bundle, BundleFault, open_bundle
from verifier.hashing import hex_digest
from verifier.progress import Progress
from verifier.report import Report
from verifier.trust import Trust, TrustFault, read_trust
from verifier.verification import Options, verify_bundle, verify_receipt

TRUST_LIMIT = 2**20
RECEIPTS = (".tlog-proof", ".pdf")
NO_TRUST = (
    "Trust: the bundle's own trust file (it proves only that the bundle agrees with itself; exit code 0 impossible)"
)


def run(argv: list[str], source: bytes) -> int:
    """Verify as the arguments say, print the report, return the exit code; ``source`` is this verifier's own text."""
    arguments = _parser().parse_args(argv)
    report, trust, bundle = _prepare(arguments)
    report.facts["verifier"] = _own(source, trust)
    if trust is not None:
        _run_checks(arguments, report, trust, bundle)
    if arguments.json:
        sys.stdout.write(json.dumps(report.as_json(), ensure_ascii=False, indent=1, sort_keys=True) + "\n")
    else:
        sys.stdout.write(report.as_text())
    sys.stdout.flush()
    return report.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="verify", description="Check a Mingbiao bundle or receipt offline. 离线核验。"
    )
    parser.add_argument("bundle", type=Path, help="ZIP file or directory of a bundle, or a receipt (.tlog-proof, .pdf)")
    parser.add_argument("--trust", type=Path, help="trust file of the supervisor, obtained outside the platform")
    parser.add_argument("--against", type=Path, action="append", default=[], help="a checkpoint that you kept earlier")
    parser.add_argument("--production", action="store_true", help="refuse demo bundles")
    parser.add_argument("--draws", action="store_true", help="also print every draw of experts as recomputed")
    parser.add_argument("--json", action="store_true", help="print the report as data")
    parser.add_argument("--envelope", type=Path, help="your own envelope, to compare with a receipt")
    parser.add_argument(
        "--token", type=Path, action="append", default=[], help="a time-stamp token (.tsr) over a receipt's checkpoint"
    )
    return parser


def _prepare(arguments: argparse.Namespace) -> tuple[Report, Trust | None, Bundle | None]:
    """Open what is to be verified and choose the trust; a fault of either is a failed check and nothing else runs."""
    report = Report("Trust: none", trusted=False)
    bundle: Bundle | None = None
    try:
        if arguments.bundle.suffix not in RECEIPTS:
            bundle = open_bundle(arguments.bundle)
        trust = _choose_trust(arguments, report, bundle)
    except (BundleFault, OSError) as error:
        report.check("AL-01", "file list and container").fail(arguments.bundle.name, str(error))
    except TrustFault as error:
        report.check("AL-02", "trust file").fail("trust", str(error))
    else:
        return report, trust, bundle
    return report, None, None


def _choose_trust(arguments: argparse.Namespace, report: Report, bundle: Bundle | None) -> Trust | None:
    if arguments.trust is not None:
        data = arguments.trust.read_bytes()
        if len(data) > 2 * TRUST_LIMIT:
            raise TrustFault("trust file longer than 2 MiB")
        trust = read_trust(data)
        signed = "signed by its supervisor" if trust.signed else "not signed, believed because you gave it"
        report.trust_line = f"Trust: {arguments.trust.name} given with --trust, SHA-256 {trust.sha256}, {signed}"
        report.trusted = True
        return trust
    if bundle is None:
        report.check("AL-02", "trust file").gap("receipt", "a receipt cannot be checked without --trust")
        return None
    signatures = bundle.read("trust.sig", TRUST_LIMIT) if "trust.sig" in bundle else None
    trust = read_trust(bundle.read("trust.json", TRUST_LIMIT), signatures)
    report.trust_line = NO_TRUST
    return trust


def _own(source: bytes, trust: Trust | None) -> str:
    digest = hex_digest(source)
    listed = trust is not None and digest in trust.release_sha256
    known = "listed in the trust file" if listed else "NOT listed in the trust file"
    return f"SHA-256 {digest}, {known}"


def _run_checks(arguments: argparse.Namespace, report: Report, trust: Trust, bundle: Bundle | None) -> None:
    if bundle is not None:
        progress = Progress()
        options = Options(tuple(arguments.against), arguments.production, arguments.draws)
        verify_bundle(bundle, trust, report, options, progress)
        progress.close()
        return
    try:
        data = arguments.bundle.read_bytes()
        envelope = arguments.envelope.read_bytes() if arguments.envelope is not None else None
        tokens = {path.name: path.read_bytes() for path in arguments.token}
    except OSError as error:
        report.check("AL-03", "receipt").fail(arguments.bundle.name, str(error))
        return
    report.demo = trust.origin.startswith("demo.")
    verify_receipt(data[: PDF_LIMIT + 1], trust, report, envelope, tokens)
    if arguments.production and report.demo:
        report.check("AL-12", "demo flag").fail("receipt", "demo log with --production: results prove nothing")
