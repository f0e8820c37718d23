"""Runs the verifier in memory on bundles that are dictionaries of files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache

from tests.support.made_tender import SCENARIOS, Tender, Twist
from tests.support.make_bundle import Files, make_bundle, tell, trust_file
from verifier.bundle import Bundle
from verifier.progress import Progress
from verifier.report import STATE_FAIL, Report
from verifier.trust import read_trust
from verifier.verification import Options, verify_bundle


def memory_bundle(files: Mapping[str, bytes]) -> Bundle:
    """A bundle without a container."""
    bundle = Bundle(lambda path: io.BytesIO(files[path]))
    for path, data in files.items():
        bundle.admit(path, len(data))
    return bundle


def verify(files: Files, tender: Tender, options: Options | None = None) -> Report:
    """Verify a bundle with the trust file of its tender."""
    report = Report("Trust: given by the test", trusted=True)
    trust = read_trust(*trust_file(tender))
    verify_bundle(memory_bundle(files), trust, report, options or Options(), Progress())
    return report


def failures(report: Report) -> dict[str, list[str]]:
    """The failed checks with their findings, ``place: text``."""
    return {
        check.id: [f"{place}: {text}" for place, text in check.failures]
        for check in report.checks
        if check.state == STATE_FAIL
    }


def state_of(report: Report, check_id: str) -> str:
    """The state of one check."""
    return next(check.state for check in report.checks if check.id == check_id)


def told(name: str, twist: Twist | None = None) -> Tender:
    """The tender of a named scenario, told anew."""
    return tell(SCENARIOS[name], twist)


@cache
def told_once(name: str) -> Tender:
    """The same, told once for all tests that do not change it."""
    return told(name)


def verify_told(tender: Tender, kind: str = "auditor", tier: str = "audit") -> Report:
    """Verify a bundle of a told tender."""
    return verify(make_bundle(tender, kind, tier), tender)
