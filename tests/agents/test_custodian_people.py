"""Releases that people of the institution approve: never fewer than it wants, never one person twice (SB1 S13.1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.custodian import desk, people, polling
from agents.custodian.agent import Agent
from agents.custodian.cli import main as custodian
from agents.custodian.releasing import ask_for_approval
from agents.enrolments import ENROLMENT
from agents.http import Answer
from agents.signing import sign
from tests.agents.test_custodian_commands import run
from tests.agents.test_custodian_release import ask, checked, code_of
from tests.build.ceremony import World
from trading.crypto.keyfiles import save_es256
from trading.crypto.signatures import Es256Signer, sign_document
from trading.custody.rules.jobs import read_job
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.encoding import b64u
from trading.kernel.errors import Conflict, InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument
from trading.openings.rules.answers import parse_release


def enrolment(signer: Es256Signer, *, signed_by: Es256Signer | None = None) -> SignedDocument:
    content = {
        "account": "a-1", "alg": "ES256", "challenge": "00" * 32, "created": 1, "key": b64u(signer.spki),
        "org": "91330100MA2B00000X", "role": "custodian",
    }  # fmt: skip
    return sign_document(ENROLMENT.write(content), signed_by or signer)


class Institution:
    """A custodian with three people, one of whom has two keys."""

    def __init__(self, world: World, agent: Agent) -> None:
        self.world, self.agent = world, agent
        self.keys = {name: Es256Signer.generate() for name in ("Li Wei", "Li Wei 2", "Chen Jing", "Wang Fang")}
        for name, key in self.keys.items():
            people.add_person(agent, "li  wei" if name == "Li Wei 2" else name, enrolment(key))
        self.factors = world.factor_list()
        self.job = world.release_job(agent, self.factors)

    def approve(self, *names: str) -> None:
        document = ask_for_approval(self.agent, read_job(self.job))
        for name in names:
            people.approve(self.agent, sign_document(document, self.keys[name]))

    def journal(self, act: str) -> list[dict[str, object]]:
        lines = (self.agent.directory / "journal.jsonl").read_bytes().splitlines()
        return [line["facts"] for line in map(loads_object, lines) if line["act"] == act]


@pytest.fixture
def institution(tmp_path: Path) -> Institution:
    return Institution(*checked(tmp_path))


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_a_release_needs_exactly_as_many_people_as_the_institution_wants(institution: Institution, number: int) -> None:
    people.require_people(institution.agent, number)
    for name in ("Li Wei", "Chen Jing", "Wang Fang")[:number]:
        assert code_of(institution.agent, institution.job) == people.MISSING
        institution.approve(name)
    release = parse_release(SignedDocument.from_wire(ask(institution.agent, institution.job)).doc)
    assert len(release.items) == 3
    (released,) = institution.journal("shares.released")
    assert released["approved_by"] == sorted(("Li Wei", "Chen Jing", "Wang Fang")[:number])


def test_one_person_cannot_release_alone(institution: Institution) -> None:
    """The control of the rule: twice the same key, two keys of one name, and a stranger are one person."""
    people.require_people(institution.agent, 2)
    institution.approve("Li Wei", "Li Wei", "Li Wei 2")
    document = ask_for_approval(institution.agent, read_job(institution.job))
    with pytest.raises(InvalidInput, match=r"sig\.missing"):
        people.approve(institution.agent, sign_document(document, Es256Signer.generate()))
    assert code_of(institution.agent, institution.job) == people.MISSING
    assert institution.agent.state.questions("release", institution.agent.state.policies()[0][0]) == []
    assert [each["name"] for each in institution.journal("release.approved")] == ["Li Wei", "li  wei"]
    institution.approve("Chen Jing")
    ask(institution.agent, institution.job)


def test_an_approval_is_of_one_order_and_one_list(institution: Institution) -> None:
    people.require_people(institution.agent, 2)
    institution.approve("Li Wei")
    world, agent = institution.world, institution.agent
    institution.factors = world.factor_list(["b-0001", "b-0003"])
    institution.job = world.release_job(agent, institution.factors)
    institution.approve("Chen Jing")
    assert code_of(agent, institution.job) == people.MISSING
    institution.approve("Li Wei")
    ask(agent, institution.job)


def test_an_approval_that_was_changed_or_is_of_somebody_who_left_does_not_count(institution: Institution) -> None:
    agent = institution.agent
    people.require_people(agent, 2)
    document = ask_for_approval(agent, read_job(institution.job))
    other = sign_document(document.replace(b'"custodian":1', b'"custodian":2'), institution.keys["Li Wei"])
    with pytest.raises(InvalidInput, match=r"sig\.invalid"):
        people.approve(agent, SignedDocument(document, other.sigs))
    institution.approve("Li Wei", "Chen Jing")
    people.remove_person(agent, institution.keys["Chen Jing"].kid)
    assert code_of(agent, institution.job) == people.MISSING
    with pytest.raises(RuleBroken, match=r"people\.too_few"):
        people.remove_person(agent, institution.keys["Wang Fang"].kid)
    institution.approve("Wang Fang")
    ask(agent, institution.job)


def test_who_may_approve(institution: Institution) -> None:
    agent, key = institution.agent, Es256Signer.generate()
    with pytest.raises(InvalidInput, match=r"sig\.missing"):
        people.add_person(agent, "Zhao Min", enrolment(key, signed_by=institution.keys["Li Wei"]))
    with pytest.raises(Conflict):
        people.add_person(agent, "Zhao Min", enrolment(institution.keys["Li Wei"]))
    with pytest.raises(InvalidInput, match=r"people\.no_name"):
        people.add_person(agent, " ", enrolment(key))
    for number, allowed in ((3, True), (4, False)):
        if allowed:
            people.require_people(agent, number)
        else:
            with pytest.raises(RuleBroken, match=r"people\.too_few"):
                people.require_people(agent, number)
    (agent.directory / people.FILE).write_bytes(b"{}")
    assert code_of(agent, institution.job).startswith("doc."), "a damaged setting releases nothing"


def test_the_platform_is_not_told_who_has_to_approve(institution: Institution, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job waits where people find it, and is answered once they have approved (ADR 0056)."""
    posted: list[dict[str, object]] = []

    def call(method: str, url: str, *, body: dict[str, object] | None = None, **_options: object) -> Answer:
        if method == "POST":
            posted.append(body or {})
        told = dumps({"jobs": [{"id": "r1", "kind": "release"}]}) if url.endswith("after=0") else institution.job
        return Answer(status=200, body=told)

    monkeypatch.setattr(polling, "call", call)
    agent, said = institution.agent, list[str]()
    people.require_people(agent, 1)
    automatic = desk.Automatic(key=False, release=True)
    server = polling.Server(agent=agent, base="http://127.0.0.1:1", automatic=automatic, say=said.append)
    server.round()
    assert (posted, people.MISSING in said[0]) == ([], True)
    assert (agent.directory / "inbox" / "r1.zip").read_bytes() == institution.job
    institution.approve("Li Wei")
    institution.world.clock.ms += polling.RETRY_MS
    server.round()
    assert [each["job"] for each in posted] == ["r1"]
    assert "answer" in posted[0]


def test_by_files(institution: Institution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As people do it: the document out, two signatures made elsewhere, both in, then the release."""
    monkeypatch.setattr("agents.custodian.command.SystemClock", lambda: institution.world.clock)
    agent, job = institution.agent, tmp_path / "release.zip"
    job.write_bytes(institution.job)
    where = ("--state", agent.directory)
    shown = run(custodian, *where, "people", "--release", "2").output
    assert "2" in shown
    assert "Chen Jing" in shown
    run(custodian, *where, "people", "--add", "Zhao Min", code=2)
    refused = run(custodian, *where, "release", "--order", job, "--out", tmp_path / "no", "--yes", code=1)
    assert people.MISSING in refused.output
    run(custodian, *where, "approval", "--order", job, "--out", tmp_path / "approval.json")
    for number, name in enumerate(("Li Wei", "Chen Jing")):
        key = tmp_path / f"{number}.key"
        save_es256(key, institution.keys[name], None)
        signed = tmp_path / f"{number}.json"
        run(sign, tmp_path / "approval.json", "--key", key, "--out", signed, "--yes")
        assert name in run(custodian, *where, "approve", signed).output
    run(custodian, *where, "release", "--order", job, "--out", tmp_path / "release.json", "--yes")
    assert SignedDocument.from_wire((tmp_path / "release.json").read_bytes()).sigs[0]["kid"] == agent.signer.kid
