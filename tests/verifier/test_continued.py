"""A bundle that spans a closed log and the one that continues it: AL-14, and everything else over both (AL1 L13)."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.support.made_continued import ContinuedLog, continued, listed, spanning_bundle, tell_in_two
from tests.support.made_log import MadeLog
from tests.support.made_tender import Tender
from tests.support.make_bundle import Files, make_trust, trust_file, with_list
from tests.support.verifying import failures, state_of, verify
from verifier.report import STATE_ABSENT, STATE_GAP, STATE_OK, Report
from verifier.trust import read_trust
from verifier.verification import Options, verify_receipt

MOMENTS = ("after the publication", "after the bids", "after the close")


_told, _bundle = cache(tell_in_two), cache(spanning_bundle)


def two(when: str = "after the bids") -> Tender:
    return _told(when)


def bundle(when: str = "after the bids", kind: str = "auditor", tier: str = "audit") -> Files:
    return _bundle(two(when), kind, tier)


def logs(tender: Tender) -> ContinuedLog:
    return tender.log  # type: ignore[return-value]  # set so by the story


def judged(files: Files, *, when: str = "after the bids", kept: tuple[Path, ...] = ()) -> Report:
    return verify(listed(files), two(when), Options(against=kept))


@pytest.mark.parametrize("kind", [("auditor", "audit"), ("public", "bidders"), ("audit", "audit")])
@pytest.mark.parametrize("when", MOMENTS)
def test_a_bundle_that_spans_both_logs_verifies(when: str, kind: tuple[str, str]) -> None:
    report = verify(bundle(when, *kind), two(when))
    assert failures(report) == {}
    assert [check.id for check in report.checks if check.state == STATE_GAP] == []
    assert state_of(report, "AL-14") == STATE_OK
    before, own = logs(two(when)).before, logs(two(when)).own
    assert report.facts["log"] == (
        f"{before.origin}, {len(before.entries)} entries; continued in {own.origin}, {len(own.entries)} entries"
    )
    assert {"SB-06", "SB-08", "TE-03", "TE-04", "TE-05"} <= {
        check.id for check in report.checks if check.state == STATE_OK
    }


def change(files: Files, path: str, new: Callable[[bytes], bytes]) -> Files:
    return {**files, path: new(files[path])}


def without(files: Files, *paths: str) -> Files:
    return {path: data for path, data in files.items() if not path.startswith(paths)}


def first_of(tender: Tender, **body: str) -> Files:
    """Return the bundle of a later log that tells another story of where it begins."""
    found = logs(tender)
    own = MadeLog(found.own.origin)
    own.signer = found.own.signer
    told = {"old_checkpoint": found.final, "old_origin": found.before.origin, "reason": "x", **body}
    own.append("log.continued", told, at=found.own.entries[0].t, subject="log", procedure=None)
    return only(own, own.witness(found.own.entries[-1].t))


def only(own: MadeLog, note: str) -> Files:
    """Return the files of a later log with all its entries, beside the earlier one of the told tender."""
    size = len(own.entries)
    before = {path: data for path, data in bundle().items() if path.startswith("before/")}
    proofs = {f"log/{entry.n}.tlog-proof": own.proof(entry, note) for entry in own.entries}
    header = {**json.loads(bundle()["bundle.json"]), "checkpoint_size": size, "tier": "log"}
    return with_list({**before, **proofs, "checkpoint": note.encode()}, header)


def found(files: Files) -> str:
    return "\n".join(failures(verify(files, two())).get("AL-14", []))


def test_the_record_is_there_once_and_names_the_end_of_the_log_before() -> None:
    tender = two()
    both = logs(tender)
    assert found(first_of(tender)) == ""  # control
    assert "does not say so" in found(listed(without(bundle(), "log/0.")))
    assert "not somebody.example/log" in found(first_of(tender, old_origin="somebody.example/log"))
    size = sorted(both.before.notes)[1]
    assert "names another checkpoint" in found(first_of(tender, old_checkpoint=both.before.notes[size][0]))
    lonely = "\n".join(both.final.split("\n")[:5]) + "\n"
    assert "no quorum of witnesses" in found(first_of(tender, old_checkpoint=lonely))
    other = both.final.replace(f"\n{both.base}\n", f"\n{both.base - 1}\n", 1)
    assert "does not verify" in found(first_of(tender, old_checkpoint=other))
    assert "before/checkpoint" in found(listed(without(bundle(), "before/checkpoint")))


def test_a_log_is_continued_once() -> None:
    both = logs(two())
    own = MadeLog(both.own.origin)
    own.signer = both.own.signer
    at = both.own.entries[0].t
    for _ in range(2):
        body = {"old_checkpoint": both.final, "old_origin": both.before.origin, "reason": "x"}
        own.append("log.continued", body, at=at, subject="log", procedure=None)
    assert "more than once" in found(only(own, own.witness(at + 1000)))


def test_a_kept_receipt_shows_a_second_continuation(tmp_path: Path) -> None:
    tender = two()
    both = logs(tender)
    twin = continued(both.before, both.final, at=both.own.entries[0].t, name="-twin", seed=9)
    policy = both.policy + f"log {twin.own.signer.vkey}\n"
    lying, mine = tmp_path / "twin.tlog-proof", tmp_path / "mine.tlog-proof"
    lying.write_bytes(twin.own.proof(twin.own.entries[0], twin.witness(both.own.entries[-1].t)))
    mine.write_bytes(bundle()["log/0.tlog-proof"])
    assert failures(judged(bundle(), kept=(mine,))) == {}
    assert state_of(judged(bundle(), kept=(lying,)), "AL-14") == STATE_GAP  # the trust file does not list the other
    trusted = Tender.__new__(Tender)
    trusted.__dict__.update(tender.__dict__)
    trusted.log = Listing(both, policy)  # type: ignore[assignment]  # as much of a log as a trust file needs
    report = verify(bundle(), trusted, Options(against=(lying,)))
    assert "was continued twice" in "".join(failures(report)["AL-14"])


class Listing:
    """A log with a policy of its own."""

    def __init__(self, log: ContinuedLog, policy: str) -> None:
        self.origin, self.policy, self.stampers = log.origin, policy, log.stampers


def test_a_holder_of_more_of_the_closed_log_sees_that_entries_were_dropped(tmp_path: Path) -> None:
    both = logs(two())
    longer = MadeLog(both.before.origin, entries=list(both.before.entries))
    kept = {}
    for name, cosigners in (("same", 0), ("witnessed", 2), ("one", 1), ("nobody", 0)):
        if name != "same":
            longer.append("log.pad", {}, at=longer.entries[-1].t, subject="log", procedure=None)
        kept[name] = tmp_path / name
        note = both.final if name == "same" else longer.witness(longer.entries[-1].t, cosigners=cosigners)
        kept[name].write_text(note)
    smaller = min(size for size in both.before.notes if size)
    kept["smaller"] = tmp_path / "smaller"
    kept["smaller"].write_text(both.before.notes[smaller][0])
    for name in ("same", "smaller"):
        assert state_of(judged(bundle(), kept=(kept[name],)), "AL-06") == STATE_OK
    report = judged(bundle(), kept=(kept["witnessed"],))
    assert "entries were dropped" in "".join(failures(report)["AL-06"])
    for name in ("one", "nobody"):
        report = judged(bundle(), kept=(kept[name],))
        assert (failures(report), state_of(report, "AL-06")) == ({}, STATE_GAP)


def test_a_fork_of_the_closed_log_is_seen(tmp_path: Path) -> None:
    both = logs(two())
    size = sorted(both.before.notes)[1]
    fork = MadeLog(both.before.origin)
    for _ in range(size):
        fork.append("log.pad", {}, at=both.before.entries[0].t, subject="log", procedure=None)
    kept = tmp_path / "fork"
    kept.write_text(fork.witness(both.before.entries[-1].t))
    assert "AL-06" in failures(judged(bundle(), kept=(kept,)))


DAMAGE: dict[str, tuple[str, Callable[[Files], Files]]] = {
    "a proof of the closed log": (
        "AL-03",
        lambda files: change(files, "before/log/2.tlog-proof", lambda data: data.replace(b"index 2", b"index 3")),
    ),
    "a proof under the other log's note": (
        "AL-03",
        lambda files: change(
            files, "before/log/2.tlog-proof", lambda data: data.partition(b"\n\n")[0] + b"\n\n" + files["checkpoint"]
        ),
    ),
    "a note of the closed log": ("AL-05", lambda files: {**files, other_note(files): files["before/checkpoint"]}),
    "entries moved from the closed log": (
        "AL-03",
        lambda files: {**without(files, "before/log/2."), "log/2.tlog-proof": files["before/log/2.tlog-proof"]},
    ),
}  # fmt: skip


def other_note(files: Files) -> str:
    return next(path for path in sorted(files) if path.startswith("before/checkpoints/"))


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_below_before_is_found(name: str) -> None:
    check, damage = DAMAGE[name]
    assert check in failures(judged(damage(dict(bundle()))))


def test_a_bundle_of_the_closed_log_still_verifies_and_says_so() -> None:
    """Made before the closing: the later trust file lists its log, and the answer says what the bundle covers."""
    tender, both = two("after the close"), logs(two("after the close"))
    files = {
        path.removeprefix("before/"): data for path, data in bundle("after the close").items() if "before/" in path
    }
    header = {**json.loads(bundle("after the close")["bundle.json"]), "origin": both.before.origin}
    files = with_list(files, {**header, "checkpoint_size": len(both.before.entries), "tier": "log"})
    report = verify(files, tender)
    assert failures(report) == {}
    assert state_of(report, "AL-14") == STATE_ABSENT
    assert both.own.origin in report.facts["closed"]
    stranger = {**json.loads(files["bundle.json"]), "origin": "somebody.example/log"}
    assert "AL-02" in failures(verify(with_list(files, stranger), tender))


def test_a_trust_file_of_the_new_log_alone_proves_nothing_of_the_old() -> None:
    tender, both = two(), logs(two())
    signers = [tender.agency, tender.supervisor, tender.operator, *tender.institutions]
    trusted = Tender.__new__(Tender)
    trusted.__dict__.update(tender.__dict__)
    trusted.log = both.own
    assert read_trust(*make_trust(both.own, signers, tender.supervisor)).origins == [both.own.origin]
    assert state_of(verify(bundle(), trusted), "AL-14") == STATE_GAP


def test_receipts_of_both_logs_verify_with_one_trust_file() -> None:
    tender, both = two(), logs(two())
    trust = read_trust(*trust_file(tender))
    for log, note, later in ((both.before, both.final, True), (both.own, tender.checkpoint, False)):
        report = Report("Trust: given by the test", trusted=True)
        verify_receipt(log.proof(log.entries[1], note), trust, report, None)
        assert failures(report) == {}
        assert report.facts["receipt"] == f"WITNESSED, entry 1 of {log.origin}"
        assert ("closed" in report.facts) is later
    stranger = MadeLog("somebody.example/log", entries=list(both.own.entries))
    report = Report("Trust: given by the test", trusted=True)
    verify_receipt(stranger.proof(stranger.entries[1], stranger.witness(tender.now)), trust, report, None)
    assert "AL-02" in failures(report)
