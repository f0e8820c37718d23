"""Polling and answers of custodian agents over the API (SB1 S13.3, docs/custodian-jobs.md)."""

from __future__ import annotations

import io
import re
import secrets
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.market import LOT, STAGE, Market
from tests.support.people import signed_in
from tests.support.polling import eventually
from trading.audit.rules.note import parse_checkpoint_text, parse_note
from trading.audit.rules.proof import verify_receipt
from trading.crypto.notes import verify_note_signature
from trading.crypto.signatures import Es256Signer, SignedDocument, sign_document
from trading.custody.rules.documents import make_key_destroyed, make_poll
from trading.custody.rules.jobs import Job, JobKind, read_job
from trading.custody.store import add_job
from trading.kernel.canonical import dumps
from trading.kernel.encoding import b64u
from trading.openings.service import keeping

HIDDEN = re.compile(r'<input[^>]*name="(csrf_token)"[^>]*value="([^"]*)"')


def poll(market: Market, signer: Es256Signer, *, audience: str = "", shift_ms: int = 0, nonce: bytes = b"") -> str:
    """Return the header of a signed poll; every part of it can be made wrong."""
    document = make_poll(
        audience=audience or market.runtime.origin,
        custodian_kid=signer.kid,
        nonce=nonce or secrets.token_bytes(16),
        created=market.now() + shift_ms,
    )
    return f"MB-ES256 {b64u(sign_document(document, signer).wire_bytes())}"


def key_of(market: Market, organisation: str) -> Es256Signer:
    return market.stage.signers[organisation, "custodian"]


def get(market: Market, path: str, header: str) -> TestResponse:
    return market.app.test_client().get(f"/custodian/v1/{path}", headers={"Authorization": header})


def post(market: Market, signer: Es256Signer, body: dict[str, Any]) -> TestResponse:
    headers = {"Authorization": poll(market, signer)}
    return market.app.test_client().post("/custodian/v1/answers", json=body, headers=headers)


def jobs(market: Market, signer: Es256Signer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = get(market, "jobs", poll(market, signer)).get_json()["jobs"]
    return found


def admit_job(market: Market, organisation: str) -> str:
    listed = jobs(market, key_of(market, organisation))
    return next(str(job["id"]) for job in listed if job["kind"] == "admit")


def fetch(market: Market, organisation: str, job_id: str, seen: int = 0) -> Job:
    """Fetch a job as soon as the log is witnessed as far as it needs."""
    found: list[TestResponse] = []

    def ask() -> bool:
        found.append(get(market, f"jobs/{job_id}?seen={seen}", poll(market, key_of(market, organisation))))
        return found[-1].status_code == 200

    eventually(ask)
    return read_job(found[-1].data)


@pytest.mark.parametrize("header", ["", "Bearer pt_x", "MB-ES256 !", "MB-ES256 e30"])
def test_every_call_needs_a_signed_poll(market: Market, header: str) -> None:
    answer = get(market, "jobs", header)
    assert answer.status_code == (401 if not header.startswith("MB-ES256") else 400)


def test_a_poll_counts_once_here_and_now(market: Market) -> None:
    notary, nonce = key_of(market, "notary"), secrets.token_bytes(16)
    assert get(market, "jobs", poll(market, notary, nonce=nonce)).status_code == 200
    refused = {
        "poll.replayed": poll(market, notary, nonce=nonce),
        "poll.wrong_audience": poll(market, notary, audience="log.elsewhere/audit"),
        "poll.stale": poll(market, notary, shift_ms=-61_000),
        "sig.key_unknown": poll(market, market.stage.signers["agency", "agency"]),
    }
    for code, header in refused.items():
        answer = get(market, "jobs", header)
        assert (answer.status_code, answer.get_json()["code"]) == (422, code)
    assert get(market, "jobs", poll(market, notary, shift_ms=-50_000)).status_code == 200


def test_an_admission_job_proves_what_it_says(market: Market) -> None:
    job = fetch(market, "notary", admit_job(market, "notary"))
    assert (job.kind, job.place) == (JobKind.ADMIT, (market.tender, LOT, STAGE))
    assert job.document(job.request["policy_sha256"]).doc == market.current_policy.raw
    assert len(list(job.of_type("sb1.custodian-key"))) == market.current_policy.n
    kinds = [
        verify_receipt(proof, origin=job.origin, policy=market.world.policy, verify=verify_note_signature).record[
            "kind"
        ]
        for proof in job.proofs()
    ]
    assert kinds == ["policy.fixed", "tender.published"]
    size = parse_checkpoint_text(parse_note(job.need("checkpoint")).text).size
    later = fetch(market, "notary", admit_job(market, "notary"), seen=size - 1)
    newer = parse_checkpoint_text(parse_note(later.need("checkpoint")).text).size
    assert f"consistency/{size - 1}-{newer}" in later.files


def test_the_jobs_of_others_do_not_exist(market: Market) -> None:
    job_id = admit_job(market, "notary")
    association = key_of(market, "association")
    assert get(market, f"jobs/{job_id}", poll(market, association)).status_code == 404
    assert get(market, "jobs/j-none", poll(market, association)).status_code == 404
    assert post(market, association, {"answer": {}, "job": job_id}).status_code == 404


def refusal_of(market: Market, job_id: str) -> str | None:
    """Return the code that the people of the institution read beside a job that waits."""
    _, task, _, _ = keeping.exchange(market.runtime.ledger, market.stage.actors["centre-custodian"], job_id)
    return task.refusal


def test_an_answer_is_taken_once_and_again_if_it_is_the_same(market: Market) -> None:
    centre, job_id = key_of(market, "centre"), admit_job(market, "centre")
    policy = market.current_policy.sha256
    right = {"answer": {"policy_sha256": policy, "schedule_sha256": "0" * 64}, "job": job_id}
    assert post(market, centre, {"answer": {"policy_sha256": policy}, "job": job_id}).status_code == 400
    refusal = {"job": job_id, "refusal": {"code": "order.fork", "detail": ""}}
    assert post(market, centre, refusal).get_json() == {"result": "accepted"}
    assert job_id in {job["id"] for job in jobs(market, centre)}  # a refused job stays open
    assert refusal_of(market, job_id) == "order.fork"
    for _ in range(2):
        assert post(market, centre, right).get_json() == {"result": "accepted"}
    assert refusal_of(market, job_id) is None, "it was answered after all"
    assert post(market, centre, refusal).get_json() == {"result": "accepted"}
    assert refusal_of(market, job_id) is None, "and what comes late changes nothing"
    other = {"answer": {"policy_sha256": policy, "schedule_sha256": "1" * 64}, "job": job_id}
    assert post(market, centre, other).status_code == 409
    assert job_id not in {job["id"] for job in jobs(market, centre)}


def by_hand(client: FlaskClient, path: str, answer: object, *, hidden: dict[str, str]) -> int:
    """Hand in an answer file on a page, and return how it was taken."""
    file = io.BytesIO(answer if isinstance(answer, bytes) else dumps(answer))
    return client.post(path, data={**hidden, "answer": (file, "answer.json")}).status_code


def test_an_agent_without_a_network_is_served_by_hand(market: Market) -> None:
    """The job saved on a page, the answer handed in there; nothing that nobody may know of is a page (SB1 S13.2)."""
    job_id, agency = admit_job(market, "agency"), key_of(market, "agency")
    person = signed_in(market.app.test_client(), "agency-custodian")
    page = f"/custodian/jobs/{job_id}"
    assert job_id in person.get(f"/custodian/lots/{market.tender}/1").text
    eventually(lambda: person.get(f"{page}/file").status_code == 200)
    saved = person.get(f"{page}/file?seen=0")
    assert read_job(saved.data).kind is JobKind.ADMIT
    assert f"admit-{job_id}.zip" in saved.headers["Content-Disposition"]
    assert person.get(f"{page}/file?seen=x").status_code == 400
    hidden = dict(HIDDEN.findall(person.get(page).text))
    answer = {"policy_sha256": market.current_policy.sha256, "schedule_sha256": "0" * 64}
    assert by_hand(person, page, b"", hidden=hidden) == 422
    assert by_hand(person, page, b"not json", hidden=hidden) == 422
    assert by_hand(person, page, {**answer, "policy_sha256": "1" * 64}, hidden=hidden) == 422
    assert [by_hand(person, page, answer, hidden=hidden) for _again in range(2)] == [303, 303]
    assert by_hand(person, page, {**answer, "schedule_sha256": "1" * 64}, hidden=hidden) == 422, "one answer a question"
    assert job_id not in {job["id"] for job in jobs(market, agency)}
    others = admit_job(market, "supervisor")
    assert person.get(f"/custodian/jobs/{others}").status_code == 404
    with market.runtime.ledger.upkeep() as conn:
        rehearsal = add_job(
            conn, kid=agency.kid, kind="rehearse", procedure_id=market.procedure_id, lot=LOT, stage=STAGE,
            custodian=1, request={"lot": LOT, "stage": STAGE, "tender": market.tender},
        )  # fmt: skip
    for path in (f"/custodian/jobs/{rehearsal}", f"/custodian/jobs/{rehearsal}/file", "/custodian/jobs/j-none"):
        assert person.get(path).status_code == 404, "who rehearses means to bid"


def test_a_destruction_by_hand(market: Market) -> None:
    index = next(row.i for row in market.current_policy.custodians if row.role == "agency")
    person, path = signed_in(market.app.test_client(), "agency-custodian"), f"/custodian/lots/{market.tender}/1"
    assert "Nowhere" not in person.get(f"{path}?lang=en").text
    hidden = dict(HIDDEN.findall(person.get(f"{path}/destruction").text))
    statement = make_key_destroyed(market.current_policy.sha256, custodian=index, created=market.now())
    unsigned, signed = SignedDocument(statement).wire(), sign_document(statement, key_of(market, "agency")).wire()
    assert by_hand(person, f"{path}/destruction", unsigned, hidden=hidden) == 422
    assert by_hand(person, f"{path}/destruction", signed, hidden=hidden) == 303
    assert "your agent destroyed it" in person.get(f"{path}?lang=en").text
    assert index in [body["custodian"] for body in market.bodies("custodian.key_destroyed")]


def test_a_destroyed_key_is_recorded_once(market: Market) -> None:
    index = next(row.i for row in market.current_policy.custodians if row.role == "association")
    policy, association = market.current_policy.sha256, key_of(market, "association")
    signed = sign_document(make_key_destroyed(policy, custodian=index, created=market.now()), association)
    for _ in range(2):
        assert post(market, association, {"answer": signed.wire(), "job": None}).status_code == 200
    assert [body["custodian"] for body in market.bodies("custodian.key_destroyed")].count(index) == 1
    other = make_key_destroyed(policy, custodian=index, created=market.now())
    assert post(market, key_of(market, "notary"), {"answer": sign_document(other, association).wire(), "job": None}
                ).status_code == 400  # fmt: skip
    unsigned = SignedDocument(other).wire()
    assert post(market, association, {"answer": unsigned, "job": None}).status_code == 400
