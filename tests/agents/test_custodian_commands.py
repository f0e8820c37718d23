"""The commands of SB1 S13.1 and S14 as people run them, polling over HTTP, and what never may be printed (P10)."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyrage  # type: ignore[import-untyped]  # a compiled module without stubs
import pytest
from click.testing import CliRunner, Result
from typing_extensions import override

from agents import http
from agents.custodian import desk, doctor, polling
from agents.custodian.admission import make_key
from agents.custodian.agent import Agent
from agents.custodian.cli import main as custodian
from agents.custodian.state import Place
from agents.http import Refused, Unreachable
from agents.station import cli as station
from agents.station.client import Client
from tests.build.ceremony import LOT, ORIGIN, STAGE, TENDER, Bidder, World
from tests.build.opening import Opening
from trading.crypto.shares import deal
from trading.crypto.signatures import sign_document, verify_es256
from trading.custody.rules.answers import read_answer
from trading.custody.rules.documents import parse_poll, require_fresh_poll
from trading.custody.rules.jobs import JobKind, read_job
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.encoding import b64u, b64u_decode
from trading.kernel.errors import InvalidInput
from trading.kernel.signed import SignedDocument
from trading.openings.rules.factors import make_factor

TOKEN = b"mbt-0123456789abcdef"
PLACE = Place(tender=TENDER, lot=LOT, stage=STAGE)


def run(command: Any, *arguments: object, code: int = 0, text: str | None = None) -> Result:  # noqa: ANN401 - a click group
    result = CliRunner().invoke(command, [str(argument) for argument in arguments], input=text)
    assert result.exit_code == code, result.output
    return result


def agent_run(agent: Agent, *arguments: object, code: int = 0, text: str | None = None) -> Result:
    return run(custodian, "--state", agent.directory, *arguments, code=code, text=text)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A published lot; the commands see its clock."""
    world = World(tmp_path / "agents").publish()
    monkeypatch.setattr("agents.custodian.command.SystemClock", lambda: world.clock)
    return world


def put(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


# Files in, files out.


def test_init_makes_a_private_directory_and_prints_the_key_id(tmp_path: Path) -> None:
    phrase = put(tmp_path / "phrase", b"correct horse battery\n")
    phrase.chmod(0o600)
    where = ["--state", tmp_path / "c", "--passphrase-file", phrase]
    result = run(custodian, *where, "init", "--name", "某协会", "--role", "association")
    assert len(result.output.strip().split("\n")[-1]) == 64
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o700
    run(custodian, *where, "init", "--name", "某协会", "--role", "association", code=1)
    shown = run(custodian, *where, "show")
    assert "某协会" in shown.output


def test_the_whole_path_by_files(world: World, tmp_path: Path) -> None:
    agent = world.agents[0]
    out = tmp_path / "answer.json"
    key = agent_run(agent, "key", "--tender", TENDER, "--lot", LOT, "--stage", STAGE, "--out", out, "--yes")
    assert "lot 1" in key.output or "标段 1" in key.output
    signed = SignedDocument.from_wire(out.read_bytes())
    challenge = put(tmp_path / "prove", world.prove_job(agent, signed, b"\x0a" * 32))
    agent_run(agent, "prove", "--challenge", challenge, "--out", out)
    assert json.loads(out.read_bytes())["challenge"] == "0a" * 32
    agent_run(agent, "admit", "--policy", put(tmp_path / "admit", world.admit_job(agent)))
    bidder = world.submit(1)
    world.close()
    world.order()
    order = put(tmp_path / "check", world.check_job(agent))
    refused = agent_run(agent, "check", "--order", order, "--out", tmp_path / "no", code=1, text="n\n")
    assert not (tmp_path / "no").exists()
    assert "2025-" in refused.output
    agent_run(agent, "check", "--order", order, "--out", out, text="y\n")
    factor = put(tmp_path / "factor", make_factor(bidder.bid, bidder.done.envelope.sha256, bidder.done.s_b))
    agent_run(agent, "acknowledge", "--factor", factor, "--out", tmp_path / "ack", "--yes")
    release = put(tmp_path / "release", world.release_job(agent, world.factor_list()))
    agent_run(agent, "release", "--order", release, "--out", out, "--yes")
    answer = read_answer(JobKind.RELEASE, {"answer": json.loads(out.read_bytes()), "job": "j-1"})
    assert answer.document is not None
    agent_run(agent, "destroy", "--policy", world.policy.sha256, "--out", out, text="y\n")
    first = out.read_bytes()
    agent_run(agent, "destroy", "--policy", world.policy.sha256, "--out", out)
    assert out.read_bytes() == first


def test_exit_codes_tell_a_refusal_from_something_missing(world: World, tmp_path: Path) -> None:
    agent = world.agents[0]
    agent_run(agent, "admit", "--policy", put(tmp_path / "a", world.admit_job(agent)))
    world.submit(1)
    world.close()
    world.order()
    no_consistency = put(tmp_path / "b", world.check_job(agent, consistency=False))
    agent_run(agent, "check", "--order", no_consistency, "--out", tmp_path / "o", "--yes", code=2)
    hidden = world.check_job(agent, hide=lambda record: record["kind"] == "tender.closed")
    refused = agent_run(
        agent, "check", "--order", put(tmp_path / "c", hidden), "--out", tmp_path / "o", "--yes", code=1
    )
    assert "order.not_included" in refused.output
    wrong = put(tmp_path / "d", world.admit_job(agent))
    assert "job.other_kind" in agent_run(agent, "check", "--order", wrong, "--out", tmp_path / "o", code=1).output
    garbage = put(tmp_path / "e", b"PK\x03\x04")
    assert "job.malformed" in agent_run(agent, "check", "--order", garbage, "--out", tmp_path / "o", code=1).output
    agent_run(agent, "key", "--out", tmp_path / "o", code=2)


def test_a_disclosure_asks_for_two_people(world: World, tmp_path: Path) -> None:
    agent = world.agents[0]
    agent_run(agent, "admit", "--policy", put(tmp_path / "a", world.admit_job(agent)))
    request = {"auditor": "专家", "order_sha256": "0" * 64, "policy_sha256": world.policy.sha256}
    job = put(tmp_path / "d", world.job(JobKind.DISCLOSE, request, agent))
    arguments = ("disclose", "--order", job, "--to", "age1x", "--out", tmp_path / "x")
    assert "disclose.nothing_bad" in agent_run(agent, *arguments, code=1).output


def test_a_disclosure_from_the_inbox_is_posted_by_the_agent(world: World, tmp_path: Path) -> None:
    agent, auditor = world.agents[3], pyrage.x25519.Identity.generate()
    agent_run(agent, "admit", "--policy", put(tmp_path / "a", world.admit_job(agent)))
    world.submit(1, replace=_with_a_wrong_commitment)
    world.close()
    order = world.order().sha256
    checked = ("--order", put(tmp_path / "c", world.check_job(agent)), "--out", tmp_path / "o", "--yes")
    agent_run(agent, "check", *checked)
    request = {"auditor": "某监督局", "order_sha256": order, "policy_sha256": world.policy.sha256}
    (agent.directory / "inbox").mkdir()
    job = put(agent.directory / "inbox" / "j-7.zip", world.job(JobKind.DISCLOSE, request, agent))
    arguments = ("disclose", "--order", job, "--to", auditor.to_public(), "--out", tmp_path / "sealed.age")
    same = agent_run(agent, *arguments, code=1, text="Li\nLi\n")
    assert "two different people" in same.output
    assert not (agent.directory / "outbox").exists()
    agent_run(agent, *arguments, text="Li\nWang\ny\n")
    body = json.loads((agent.directory / "outbox" / "j-7.json").read_bytes())
    read_answer(JobKind.DISCLOSE, body)
    opened = SignedDocument.from_wire(pyrage.decrypt((tmp_path / "sealed.age").read_bytes(), [auditor]))
    assert (body["job"], body["answer"]["disclosure_sha256"]) == ("j-7", opened.sha256)


def _with_a_wrong_commitment(bidder: Bidder) -> SignedDocument:
    body = loads_object(bidder.done.envelope.doc)
    body["shares"][3]["c"] = "0" * 64
    return sign_document(dumps(body), bidder.signer)


def test_a_shifted_clock_is_for_demo_logs_only(world: World, tmp_path: Path) -> None:
    result = agent_run(world.agents[0], "--shift-file", put(tmp_path / "shift", b"1"), "show", code=1)
    assert "clock.shifted" in result.output


def test_doctor_reports_clock_trust_and_memory(world: World, tmp_path: Path) -> None:
    agent = world.agents[0]
    world.clock.ms += 1_000
    desk.answer(agent, read_job(world.admit_job(agent)), lambda _text: None)
    findings = {finding.what: finding for finding in doctor.examine(agent)}
    assert findings["clock"].level is doctor.Level.OK
    assert findings["own key"].level is doctor.Level.OK
    world.clock.ms -= 60_000
    assert {f.what: f.level for f in doctor.examine(agent)}["clock"] is doctor.Level.FAIL
    world.clock.ms += 10 * 24 * 3_600_000
    assert {f.what: f.level for f in doctor.examine(agent)}["clock"] is doctor.Level.UNKNOWN
    (agent.directory / "journal.jsonl").write_bytes(b"{}\n")
    assert {f.what: f.level for f in doctor.examine(agent)}["journal"] is doctor.Level.FAIL
    assert doctor.exit_code(doctor.examine(agent)) == 1
    agent_run(agent, "doctor", code=1)
    assert tmp_path.exists()


# Polling.


@dataclass
class Platform:
    """The custodian side of a platform: gives out jobs, keeps answers, checks every poll."""

    world: World
    agent: Agent
    jobs: list[dict[str, Any]] = field(default_factory=list)
    content: dict[str, bytes] = field(default_factory=dict)
    answers: list[dict[str, Any]] = field(default_factory=list)
    factors: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    nonces: set[bytes] = field(default_factory=set)
    not_yet: int = 0
    status: int = 200

    def offer(self, kind: JobKind, data: bytes) -> str:
        name = f"j-{len(self.jobs) + 1}"
        self.jobs.append(
            {"cursor": len(self.jobs) + 1, "id": name, "kind": kind.value, "url": f"/custodian/v1/jobs/{name}"}
        )
        self.content[name] = data
        return name

    def check(self, authorization: str) -> None:
        signed = SignedDocument.from_wire(b64u_decode(authorization.removeprefix("MB-ES256 ")))
        poll = parse_poll(signed.doc)
        verify_es256(self.agent.signer.spki, signed.doc, signed.sigs[0])  # type: ignore[attr-defined]  # an Es256Signer
        require_fresh_poll(poll, origin=ORIGIN, kid=self.agent.signer.kid, at=self.world.clock.ms)
        assert poll.nonce not in self.nonces
        self.nonces.add(poll.nonce)


@pytest.fixture
def platform(world: World) -> Iterator[tuple[Platform, str]]:
    """A platform for the first agent, and its address."""
    served = Platform(world, world.agents[0])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.check(self.headers["Authorization"])
            url = urlsplit(self.path)
            if url.path == "/custodian/v1/jobs":
                open_jobs = [
                    job
                    for job in served.jobs
                    if job["id"] not in {a.get("job") for a in served.answers if "answer" in a}
                ]
                self._send(200, json.dumps({"jobs": open_jobs}).encode())
            elif served.not_yet:
                served.not_yet -= 1
                self._send(409, b'{"code":"not_yet"}')
            else:
                served.seen.append(int(parse_qs(url.query)["seen"][0]))
                self._send(200, served.content[url.path.rsplit("/", 1)[1]])

        def do_POST(self) -> None:
            served.check(self.headers["Authorization"])
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/custodian/v1/answers":
                served.answers.append(body)
            else:
                served.factors.append((self.path, body))
            self._send(served.status, b'{"code":"x","result":"accepted"}')

        def _send(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield served, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def poller(agent: Agent, base: str, said: list[str], **automatic: bool) -> polling.Server:
    return polling.Server(agent=agent, base=base, automatic=desk.Automatic(**automatic), say=said.append)


def test_serve_answers_what_needs_no_person(platform: tuple[Platform, str]) -> None:
    served, base = platform
    world, agent, said = served.world, served.agent, list[str]()
    server = poller(agent, base, said)
    served.offer(JobKind.PROVE, world.prove_job(agent, make_key(agent, PLACE), b"\x0a" * 32))
    served.offer(JobKind.ADMIT, world.admit_job(agent))
    server.round()
    assert [answer["answer"].get("challenge") for answer in served.answers] == ["0a" * 32, None]
    assert served.seen == [0, 0]
    world.submit(1)
    world.close()
    world.order()
    served.offer(JobKind.CHECK, world.check_job(agent))
    server.round()
    check = read_answer(JobKind.CHECK, served.answers[-1])
    assert check.document is not None
    seen = agent.state.seen(ORIGIN)
    assert seen is not None
    assert (served.seen[-1], seen.size) == (2, world.log.size)  # asked from the last checkpoint, then remembered
    server.round()
    assert len(served.answers) == 3


def test_release_and_key_wait_for_a_person_unless_the_institution_decided_otherwise(
    platform: tuple[Platform, str],
) -> None:
    served, base = platform
    world, agent, said = served.world, served.agent, list[str]()
    desk.answer(agent, read_job(world.admit_job(agent)), said.append)
    world.submit(1)
    world.close()
    world.order()
    desk.answer(agent, read_job(world.check_job(agent)), said.append)
    job = served.offer(JobKind.RELEASE, world.release_job(agent, world.factor_list()))
    server = poller(agent, base, said)
    server.round()
    assert served.answers == []
    assert any(f"mingbiao custodian answer {job}" in line for line in said)
    agent_run(agent, "answer", job, "--yes")
    server.round()
    assert read_answer(JobKind.RELEASE, served.answers[0]).document is not None
    assert not list((agent.directory / "outbox").glob("*.json"))
    server.round()
    assert len(served.answers) == 1


def test_auto_release(platform: tuple[Platform, str]) -> None:
    served, base = platform
    world, agent = served.world, served.agent
    desk.answer(agent, read_job(world.admit_job(agent)), print)
    world.submit(1)
    world.close()
    world.order()
    desk.answer(agent, read_job(world.check_job(agent)), print)
    served.offer(JobKind.RELEASE, world.release_job(agent, world.factor_list()))
    poller(agent, base, [], release=True).round()
    assert read_answer(JobKind.RELEASE, served.answers[0]).document is not None


def test_a_refused_job_is_reported_once_and_tried_again(platform: tuple[Platform, str]) -> None:
    served, base = platform
    world, agent, said = served.world, served.agent, list[str]()
    name = served.offer(JobKind.ADMIT, world.admit_job(agent, hide=lambda record: record["kind"] == "policy.fixed"))
    server = poller(agent, base, said)
    for _round in range(3):
        server.round()
        world.clock.ms += polling.RETRY_MS
    assert [answer["refusal"]["code"] for answer in served.answers] == ["order.not_included"]
    served.content[name] = world.admit_job(agent)
    server.round()
    assert served.answers[-1]["answer"] == {
        "policy_sha256": world.policy.sha256,
        "schedule_sha256": world.schedule.sha256,
    }


def test_a_job_that_is_not_ready_is_asked_for_again_soon(platform: tuple[Platform, str]) -> None:
    served, base = platform
    server = poller(served.agent, base, [])
    served.offer(JobKind.ADMIT, served.world.admit_job(served.agent))
    served.not_yet = 1
    server.round()
    assert served.answers == []
    served.world.clock.ms += polling.SOON_MS
    server.round()
    assert len(served.answers) == 1


def test_an_answer_that_the_platform_does_not_take_ends_there(platform: tuple[Platform, str]) -> None:
    served, base = platform
    said: list[str] = []
    server = poller(served.agent, base, said)
    served.offer(JobKind.ADMIT, served.world.admit_job(served.agent))
    served.status = 422
    server.round()
    server.round()
    assert len(served.answers) == 1
    assert any("422" in line for line in said)


def test_a_kept_factor_is_forwarded_once(platform: tuple[Platform, str], tmp_path: Path) -> None:
    served, base = platform
    world, agent = served.world, served.agent
    desk.answer(agent, read_job(world.admit_job(agent)), print)
    bidder = world.submit(1)
    world.close()
    world.order()
    desk.answer(agent, read_job(world.check_job(agent)), print)
    document = make_factor(bidder.bid, bidder.done.envelope.sha256, bidder.done.s_b)
    factor = put(tmp_path / "factor", document)
    agent_run(agent, "acknowledge", "--factor", factor, "--out", tmp_path / "ack", "--yes")
    server = poller(agent, base, [])
    server.round()
    server.round()
    assert [(path, body["factor"]) for path, body in served.factors] == [
        (f"/api/v1/bids/{bidder.bid}/factor", b64u(document))
    ]


def test_serve_goes_on_until_it_is_told_to_stop(
    platform: tuple[Platform, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    served, base = platform
    served.offer(JobKind.ADMIT, served.world.admit_job(served.agent))
    pauses: list[float] = []

    class Rounds:
        """Stands for the event that a signal sets: it lets three rounds pass."""

        def wait(self, pause: float) -> bool:
            pauses.append(pause)
            return len(pauses) > 3

        def set(self) -> None:
            """Stop at once."""
            pauses.extend([0.0] * 3)

    monkeypatch.setattr("agents.custodian.cli.Event", Rounds)
    result = agent_run(served.agent, "serve", "--poll", base, "--interval", "0.5")
    assert len(served.answers) == 1
    assert pauses == [0.5] * 4
    assert served.agent.name in result.output
    pauses.clear()
    result = agent_run(served.agent, "serve", "--poll", "http://127.0.0.1:9", "--interval", "0.5")
    assert pauses == [0.5, 1.0, 2.0, 4.0]  # a platform that does not answer is asked less and less often
    assert "127.0.0.1:9" in result.output


def test_addresses_and_failures_of_the_transport(platform: tuple[Platform, str], tmp_path: Path) -> None:
    _served, base = platform
    for bad in ("http://example.org", "ftp://127.0.0.1", "example.org"):
        with pytest.raises(InvalidInput, match=r"http\.bad_address"):
            http.require_base(bad)
    assert http.require_base("https://example.org/") == "https://example.org"
    with pytest.raises(Unreachable):
        http.call("GET", "http://127.0.0.1:9", authorization="x")
    with pytest.raises(Unreachable):
        http.save("http://127.0.0.1:9", tmp_path / "x", authorization="x", limit=1)
    assert not (tmp_path / "x").exists()
    with pytest.raises(Unreachable):
        poller(_served.agent, base, [])._get("/custodian/v1/jobs?after=0", 5)
    assert issubclass(Refused, Exception)


# The station's commands, and what may never be printed.


def test_no_secret_of_a_ceremony_is_ever_printed_or_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    world = World(tmp_path / "agents").publish()
    monkeypatch.setattr("agents.custodian.command.SystemClock", lambda: world.clock)
    bidders = [world.submit(100), world.submit(200)]
    printed: list[str] = []

    def told(result: Result) -> None:
        printed.append(result.output)

    for agent in world.agents:
        told(agent_run(agent, "admit", "--policy", put(tmp_path / "a", world.admit_job(agent))))
    world.close()
    stage = Opening(world, tmp_path)
    stage.order()
    for index, agent in enumerate(world.agents, 1):
        out = tmp_path / f"check{index}"
        told(
            agent_run(agent, "check", "--order", put(tmp_path / "j", world.check_job(agent)), "--out", out, text="y\n")
        )
        stage.log_check(SignedDocument.from_wire(out.read_bytes()), index)
    stage.reveal(*bidders)
    for bidder in bidders:
        factor = put(tmp_path / "f", make_factor(bidder.bid, bidder.done.envelope.sha256, bidder.done.s_b))
        told(agent_run(world.agents[0], "acknowledge", "--factor", factor, "--out", tmp_path / "k", text="y\n"))
    for index, agent in enumerate(world.agents, 1):
        job = put(tmp_path / "j", world.release_job(agent, stage.factor_document))
        out = tmp_path / f"release{index}"
        told(agent_run(agent, "release", "--order", job, "--out", out, text="y\n"))
        stage.log_release(SignedDocument.from_wire(out.read_bytes()), index)
    token = put(tmp_path / "token", TOKEN + b"\n")
    token.chmod(0o600)
    monkeypatch.setattr(station, "client_for", lambda _api, _place, _token: stage)
    state = ("--state", tmp_path / "station")
    told(run(station.main, *state, "collect", "--token-file", token))
    stage.close_release()
    for command in ("combine", "open", "transcript"):
        told(run(station.main, *state, command, "--token-file", token))
    assert set(stage.results) == {bidder.bid for bidder in bidders}
    assert "2.00" in printed[-2]
    captured = capfd.readouterr()
    journals = [(agent.directory / "journal.jsonl").read_text() for agent in world.agents]
    output = "\n".join([*printed, caplog.text, captured.out, captured.err, *journals])
    assert_silent(output, world, stage)
    # The control: the same search finds a secret where there is one.
    with pytest.raises(AssertionError):
        assert_silent(output + stage.world.bidders[0].done.s_b.hex(), world, stage)


def assert_silent(output: str, world: World, stage: Opening) -> None:
    secrets = [stage.box().key.seed, TOKEN, *(agent.share_key(PLACE).seed for agent in world.agents)]
    for bidder in world.bidders:
        sealed = bidder.done
        secrets += [sealed.s_c, sealed.s_b, *deal(sealed.s_c, sealed.context.bytes(), 3, 5).shares]
    for secret in secrets:
        for form in (secret.hex(), b64u(secret), repr(secret), secret.decode("latin-1")):
            assert form not in output
    assert "AGE-SECRET-KEY" not in output.upper()
    assert "age1" not in output


def test_the_client_and_the_values_of_a_ceremony_do_not_print_their_secrets(tmp_path: Path) -> None:
    world = World(tmp_path / "agents").publish()
    bidder = world.submit(1)
    shown = repr(Client(base="x", place=Opening(world, tmp_path).box().place, token=TOKEN.decode()))
    assert TOKEN.decode() not in shown
    shown = repr((bidder.done, world.agents[0], Opening(world, tmp_path).box()))
    for secret in (bidder.done.s_c, bidder.done.s_b, world.agents[0].share_key(PLACE).seed):
        assert repr(secret)[2:-1] not in shown
        assert secret.hex() not in shown
