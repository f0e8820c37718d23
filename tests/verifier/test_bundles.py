"""Clean bundles of every scenario pass; the command's exit codes, header lines and options (AL1 L12.2, L12.3)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.made_log import b64u
from tests.support.made_tender import SCENARIOS, Tender
from tests.support.make_bundle import (
    Files,
    bundle_files,
    make_bundle,
    trust_file,
    with_list,
    write_directory,
    write_zip,
)
from tests.support.verifying import failures, state_of, told, told_once, verify, verify_told
from trading.kernel.canonical import dumps
from verifier.build import single_file_source
from verifier.cli import main
from verifier.report import STATE_ABSENT, STATE_OK
from verifier.verification import Options

KINDS = (("public", "public"), ("public", "bidders"), ("auditor", "audit"), ("audit", "audit"), ("audit", "log"))
NOT_CLEAN = {"pending", "copied"}
CLEAN = sorted(SCENARIOS.keys() - NOT_CLEAN)


@pytest.fixture(scope="module")
def tender() -> Tender:
    return told_once("clean")


def run(
    files: Files, folder: Path, tender: Tender | None, *more: str, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    bundle = write_zip(files, folder / "bundle.zip")
    arguments = [str(bundle), *more]
    if tender is not None:
        (folder / "trust.json").write_bytes(trust_file(tender)[0])
        arguments += ["--trust", str(folder / "trust.json")]
    capsys.readouterr()
    code = main(arguments)
    return code, capsys.readouterr().out


@pytest.mark.parametrize("name", CLEAN)
@pytest.mark.parametrize(("kind", "tier"), KINDS)
def test_clean_bundles_pass(name: str, kind: str, tier: str) -> None:
    report = verify_told(told_once(name), kind, tier)
    assert failures(report) == {}
    assert report.exit_code == 0


def test_a_pending_verdict_leaves_the_result_open() -> None:
    report = verify_told(told("pending"))
    assert (failures(report), report.exit_code) == ({}, 2)


def test_a_copy_is_judged_and_the_platform_blamed_for_taking_it() -> None:
    report = verify_told(told_once("copied"))
    assert failures(report).keys() == {"SB-18"}


def test_tiers_decide_what_is_checked(tender: Tender) -> None:
    expected = {
        ("public", "public"): {"SB-14", "SB-15", "SB-16", "AL-09", "AL-10", "TE-02", "TE-07"},
        ("public", "bidders"): {"SB-14", "SB-15", "AL-09", "AL-10", "TE-02", "TE-07"},
        ("auditor", "audit"): {"AL-09", "AL-10", "TE-07"},
        ("audit", "audit"): {"AL-03", "AL-04"},
    }
    always = {"AL-06", "AL-11", "AL-13", "AL-14", "SB-19", "SB-20", "SB-21", "TE-08"}
    always |= {f"ED-{number:02}" for number in range(1, 14)}  # nobody was drawn
    for (kind, tier), absent in expected.items():
        report = verify_told(tender, kind, tier)
        states = {check.id: check.state for check in report.checks}
        assert {name for name, state in states.items() if state == STATE_ABSENT} == absent | always
        assert set(states.values()) == {STATE_OK, STATE_ABSENT}


def test_without_trust_the_result_is_never_0(
    tender: Tender, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = make_bundle(tender)
    code, text = run(files, tmp_path, None, capsys=capsys)
    assert code == 2
    assert text.startswith("Trust: the bundle's own trust file")
    code, text = run(files, tmp_path, tender, capsys=capsys)
    assert code == 0
    assert text.startswith("Trust: trust.json given with --trust, SHA-256 ")
    assert "listed in the trust file" in text


def test_foreign_trust_fails(tender: Tender, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = run(make_bundle(tender), tmp_path, told("demo"), capsys=capsys)
    assert code == 1
    assert "origin 'log.example/audit' instead of 'demo.log.example/audit'" in text


def test_demo_is_announced_and_refused_in_production(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tender = told_once("demo")
    code, text = run(make_bundle(tender), tmp_path, tender, capsys=capsys)
    assert code == 0
    assert text.splitlines()[1].startswith("DEMO POLICY – NOT EVIDENCE")
    code, text = run(make_bundle(tender), tmp_path, tender, "--production", capsys=capsys)
    assert code == 1
    assert "AL-12" in text


def test_production_accepts_a_real_bundle(tender: Tender, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = run(make_bundle(tender), tmp_path, tender, "--production", capsys=capsys)
    assert code == 0
    assert "DEMO" not in text


@pytest.mark.parametrize(("kind", "tier"), KINDS)
def test_the_single_file_gives_the_same_json(
    tender: Tender, kind: str, tier: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = make_bundle(tender, kind, tier)
    code, text = run(files, tmp_path, tender, "--json", capsys=capsys)
    single = tmp_path / "verify.py"
    single.write_bytes(files["verify.py"])
    arguments = [str(tmp_path / "bundle.zip"), "--json", "--trust", str(tmp_path / "trust.json")]
    done = subprocess.run([sys.executable, "-I", str(single), *arguments], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (code, b"")
    assert json.loads(done.stdout) == json.loads(text)


def test_every_field_of_the_report_is_documented(tender: Tender) -> None:
    told = verify(make_bundle(tender), tender, Options(draws=True)).as_json()
    page = (
        (Path(__file__).parents[2] / "docs" / "bundle-format.md")
        .read_text("utf-8")
        .partition("## The verifier's report")[2]
    )
    fields = {*told, *(name for check in told["checks"] for name in check), *told["facts"]}
    assert [name for name in sorted(fields) if f"`{name}`" not in page] == []


def test_directories_and_zips_are_equal(tender: Tender, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = make_bundle(tender)
    _, text = run(files, tmp_path, tender, "--json", capsys=capsys)
    folder = write_directory(files, tmp_path / "folder")
    assert main([str(folder), "--json", "--trust", str(tmp_path / "trust.json")]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(text)


def test_a_signed_trust_file(tender: Tender, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document, signatures = trust_file(tender)
    wrapped = dumps({"doc": b64u(document), "sigs": json.loads(signatures)})
    bundle = write_zip(make_bundle(tender), tmp_path / "bundle.zip")
    (tmp_path / "trust").write_bytes(wrapped)
    assert main([str(bundle), "--trust", str(tmp_path / "trust")]) == 0
    assert "signed by its supervisor" in capsys.readouterr().out.splitlines()[0]
    (tmp_path / "trust").write_bytes(wrapped.replace(b'"sig":"', b'"sig":"A', 1))
    assert main([str(bundle), "--trust", str(tmp_path / "trust")]) == 1


def test_against_a_kept_checkpoint(tender: Tender, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "kept"
    sizes = sorted(tender.log.notes)
    kept.write_text(tender.log.notes[sizes[2]][0], "utf-8")
    for kind, tier in (("public", "bidders"), ("audit", "log")):
        files = make_bundle(tender, kind, tier)
        code, text = run(files, tmp_path, tender, "--against", str(kept), capsys=capsys)
        assert (code, "AL-06  ok" in text) == (0, True)
    other = told("clean")
    kept.write_text(other.log.notes[sorted(other.log.notes)[2]][0], "utf-8")
    for kind, tier in (("public", "bidders"), ("audit", "log")):
        code, text = run(make_bundle(tender, kind, tier), tmp_path, tender, "--against", str(kept), capsys=capsys)
        assert (code, "AL-06  FAIL" in text) == (1, True)


def test_against_a_newer_checkpoint_stays_open(
    tender: Tender, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = told("clean")
    files = make_bundle(old)
    old.log.append("log.pad", {}, at=old.now, subject="log", procedure=None)
    kept = tmp_path / "kept"
    kept.write_text(old.log.witness(old.now + 5000), "utf-8")
    code, text = run(files, tmp_path, tender, "--against", str(kept), capsys=capsys)
    assert (code, "AL-06  not checked" in text) == (2, True)


def test_a_note_without_quorum_leaves_the_result_open(tender: Tender) -> None:
    later = told("clean")
    later.checkpoint = later.log.witness(later.now + 9000, cosigners=1)
    report = verify_told(later)
    assert (failures(report), report.exit_code) == ({}, 2)
    assert tender.checkpoint != later.checkpoint


def test_receipts(tender: Tender, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bid = tender.listed()[0]
    assert bid.entry is not None
    receipt, envelope, trust = tmp_path / "x.tlog-proof", tmp_path / "envelope.json", tmp_path / "trust.json"
    receipt.write_bytes(tender.log.proof(bid.entry, tender.checkpoint))
    envelope.write_bytes(bid.sealed.envelope)
    trust.write_bytes(trust_file(tender)[0])
    arguments = [str(receipt), "--trust", str(trust), "--envelope", str(envelope)]
    assert main(arguments) == 0
    assert "WITNESSED, entry" in capsys.readouterr().out
    signed = {"doc": b64u(bid.sealed.envelope), "sigs": [bid.signer.sign(bid.sealed.envelope)]}
    envelope.write_bytes(dumps(signed))
    assert main(arguments) == 0
    envelope.write_bytes(tender.listed()[1].sealed.envelope)
    assert main(arguments) == 1
    assert main([str(receipt)]) == 2
    receipt.write_bytes(receipt.read_bytes().replace(b"index ", b"index 0", 1))
    assert main([str(receipt), "--trust", str(trust)]) == 1
    note = tender.log.text() + "\n" + tender.log.signer.line(tender.log.text())
    receipt.write_bytes(tender.log.proof(bid.entry, note))
    assert main([str(receipt), "--trust", str(trust)]) == 2


@pytest.mark.parametrize("kind", ["receipt", "bidder"])
def test_the_bundle_of_one_bidder(tender: Tender, kind: str) -> None:
    bid = tender.listed()[1]
    kinds = ("key.registered", "policy.fixed", "tender.published")
    files = bundle_files(tender, "auditor", "audit")
    kept = {f"log/{entry.n}.tlog-proof" for entry in tender.log.entries if entry.kind in kinds or entry == bid.entry}
    papers = {f"docs/{bid.sealed.sha256}"} | {path[:-5] for path, data in files.items() if b'"mb.key-enrol"' in data}
    kept |= {paper + end for paper in papers for end in (".json", ".sig")}
    evidence = ("log/", "docs/", "parts/")
    files = {path: data for path, data in files.items() if path in kept or not path.startswith(evidence)}
    header = json.loads(make_bundle(tender)["bundle.json"]) | {"kind": kind}
    del header["files"]
    report = verify(with_list(files, header), tender)
    assert (failures(report), report.exit_code) == ({}, 0)
    assert (state_of(report, "SB-05"), state_of(report, "SB-08")) == (STATE_OK, STATE_ABSENT)


def test_kinds_without_checks_are_not_passed(tender: Tender) -> None:
    files = make_bundle(tender)
    header = json.loads(files["bundle.json"])
    del header["files"]
    assert verify(with_list(files, {**header, "kind": "custodian-job"}), tender).exit_code == 2
    assert verify(with_list(files, {**header, "kind": "draw"}), tender).exit_code == 1


def test_missing_files_and_broken_trust(tender: Tender, tmp_path: Path) -> None:
    assert main([str(tmp_path / "absent.zip"), "--trust", str(tmp_path / "absent")]) == 1
    (tmp_path / "x.tlog-proof").write_bytes(b"")
    (tmp_path / "trust.json").write_bytes(b"{}")
    assert main([str(tmp_path / "x.tlog-proof"), "--trust", str(tmp_path / "trust.json")]) == 1
    bundle = write_zip(make_bundle(tender), tmp_path / "bundle.zip")
    assert main([str(bundle), "--trust", str(tmp_path / "trust.json")]) == 1
    assert main([str(bundle), "--trust", str(tmp_path / "absent")]) == 1


def test_a_bundle_without_a_readable_list(tender: Tender) -> None:
    assert verify({"bundle.json": b"{}"}, tender).exit_code == 1
    assert verify({}, tender).exit_code == 1


def test_the_same_story_without_records_cannot_be_complete(tender: Tender) -> None:
    files = {
        path: data for path, data in bundle_files(tender, "audit", "log").items() if not path.startswith("records/")
    }
    header: dict[str, Any] = {
        "checkpoint_size": len(tender.log.entries),
        "kind": "audit",
        "lot": None,
        "origin": tender.log.origin,
        "procedure": None,
        "stage": None,
        "tier": "log",
        "typ": "mb.bundle",
        "v": 1,
    }
    report = verify(with_list(files, header), tender)
    assert (failures(report), report.exit_code) == ({}, 2)


def test_verify_py_in_the_bundle_is_the_release(tender: Tender) -> None:
    assert make_bundle(tender)["verify.py"] == single_file_source()
