"""The verifier in Python and the one in the browser, on the same bundle: where they do not say the same.

The browser leaves some checks, or a part of one, to the command, and says so by a code of ``LEFT``. There it may find
less, never something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.support.made_tender import Tender
from tests.support.make_bundle import Files, trust_file, write_zip
from trading.kernel.canonical import dumps, loads
from trading.kernel.encoding import b64u
from verifier.report import STATE_ABSENT, STATE_FAIL, STATE_GAP, STATE_OK, Check, Report

STATES = {STATE_OK: "ok", STATE_FAIL: "fail", STATE_GAP: "not_checked", STATE_ABSENT: "absent"}
LEFT = {"command", "secrets", "xwing"}
MOST_TOLD = 100
ASK = """() => new Promise((resolve, reject) => {
    const form = document.querySelector("[data-bundle-check]");
    const [bundle, trust] = ["bundle", "trust"].map((name) => form.querySelector(`[name=${name}]`).files[0] ?? null);
    window.second ??= new Worker(form.dataset.worker, { type: "module" });
    window.second.onerror = () => reject(new Error("the worker does not run"));
    window.second.onmessage = ({ data }) => {
        if (data.report) resolve(data.report);
        else if (!data.ready && !data.label) reject(new Error(JSON.stringify(data)));
    };
    window.second.postMessage({ bundle, trust, against: [] });
})"""


@dataclass(frozen=True)
class Browsed:
    """The verifier of the page, asked past the page, so that all findings can be compared."""

    page: Page
    folder: Path

    def verify(self, files: Files, tender: Tender) -> dict[str, Any]:
        """Return the report of the browser on a bundle, with the trust file of its tender."""
        self.page.set_input_files("#bundle-file", write_zip(files, self.folder / "bundle.zip"))
        self.page.set_input_files("#bundle-trust", trust_path(tender, self.folder))
        report: dict[str, Any] = self.page.evaluate(ASK)
        return report


def trust_path(tender: Tender, folder: Path) -> Path:
    """Write the trust file of a tender in the signed wrapper of P7.1."""
    document, signatures = trust_file(tender)
    path = folder / "trust.json"
    path.write_bytes(dumps({"doc": b64u(document), "sigs": loads(signatures)}))
    return path


def differences(report: Report, browsed: dict[str, Any]) -> list[str]:
    """Return one line for each check on which the two do not agree in state, number and places of failures."""
    found = {check["id"]: check for check in browsed["checks"]}
    others = sorted(found.keys() ^ {check.id for check in report.checks})
    lines = [f"{check_id}: known to one of them" for check_id in others]
    return lines + [line for check in report.checks if check.id in found for line in _compared(check, found[check.id])]


def _compared(check: Check, other: dict[str, Any]) -> list[str]:
    told = [f"{place}: {text}" for place, text in check.failures]
    places = [failure["place"] for failure in other["failures"]]
    foreign = [place for place in places if not any(place in line for line in told)]
    lines = [f"{check.id}: only the browser: {place}" for place in foreign]
    if any(gap["code"] in LEFT for gap in other["gaps"]):
        return lines
    if STATES[check.state] != other["state"] or len(told) != other["counts"]["failures"]:
        lines.append(f"{check.id}: {check.state} {told[:3]}, in the browser {other['state']} {other['failures'][:3]}")
    missed = [line for line in told if not any(place in line for place in places)]
    if len(told) <= MOST_TOLD:
        lines += [f"{check.id}: not in the browser: {line}" for line in missed]
    return lines
