"""Jobs and answers: what is built is read; everything else is refused by its reason (SB1 S13.2, P12)."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.custody.rules import jobs
from trading.custody.rules.answers import read_answer
from trading.custody.rules.documents import (
    make_key_destroyed,
    make_non_release,
    make_poll,
    parse_key_destroyed,
    parse_non_release,
    parse_poll,
    require_fresh_poll,
)
from trading.custody.rules.jobs import JobKind, build_job, consistency_file, document_files, read_job
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.encoding import b64u
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.signed import SignedDocument

PLACE = {"lot": "1", "stage": "all", "tender": "T-1"}
HASH = "a" * 64
KEY = {**PLACE, "title_en": "Works", "title_zh": "工程"}
DOC = SignedDocument(dumps({"typ": "mb.example", "v": 1}), ({"alg": "ES256", "kid": HASH, "sig": "AA"},))


def build(files: dict[str, bytes] | None = None, kind: JobKind = JobKind.KEY, request: Any = None) -> bytes:  # noqa: ANN401
    return build_job(kind, files or {}, request or KEY, origin="log.example")


def code_of(data: bytes) -> str:
    with pytest.raises(InvalidInput) as caught:
        read_job(data)
    return caught.value.code


def rezip(data: bytes, change: Any, *, method: int = zipfile.ZIP_DEFLATED) -> bytes:  # noqa: ANN401 - a callable on a dict
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        files = {name: source.read(name) for name in source.namelist()}
    change(files)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def test_what_is_built_is_read() -> None:
    unsigned = SignedDocument(dumps({"typ": "mb.other", "v": 1}))
    files = {
        **document_files(DOC),
        **document_files(unsigned),
        **consistency_file(3, 7, [bytes(32)]),
        "log/10.tlog-proof": b"ten",
        "log/9.tlog-proof": b"nine",
        "checkpoint": b"note",
    }
    data = build(files)
    assert data == build(files)
    job = read_job(data)
    assert (job.kind, job.origin, job.place) == (JobKind.KEY, "log.example", ("T-1", "1", "all"))
    assert job.request["title_zh"] == "工程"
    assert job.document(DOC.sha256) == DOC
    assert job.document(unsigned.sha256) == unsigned
    assert list(job.of_type("mb.example")) == [DOC]
    assert list(job.proofs()) == [b"nine", b"ten"]
    assert job.need("consistency/3-7") == b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
    with pytest.raises(InvalidInput, match=r"job\.incomplete"):
        job.need("order.json")


def test_files_of_logs_before_lie_below_a_prefix_and_nothing_else_does() -> None:
    files = {
        "before/log/10.tlog-proof": b"ten",
        "before/log/9.tlog-proof": b"nine",
        "before/before/checkpoint": b"note",
    }
    job = read_job(build({**files, "log/0.tlog-proof": b"zero"}))
    assert list(job.proofs()) == [b"zero"]
    assert list(job.proofs("before/")) == [b"nine", b"ten"]
    for path in ("before/order.json", f"before/docs/{HASH}.json", "before/log/01.tlog-proof", "log/before/checkpoint"):
        assert code_of(rezip(build(), lambda content, path=path: content.update({path: b""}))) == "job.malformed"


REQUESTS: dict[JobKind, dict[str, Any]] = {
    JobKind.KEY: {"title_en": "x", "title_zh": "x"},
    JobKind.PROVE: {"ct": b64u(b"x"), "custodian_key_sha256": HASH},
    JobKind.ADMIT: {"policy_sha256": HASH, "schedule_sha256": HASH},
    JobKind.CHECK: {"order_sha256": HASH, "policy_sha256": HASH, "schedule_sha256": HASH},
    JobKind.RELEASE: {
        "factor_list_sha256": None,
        "order_sha256": HASH,
        "policy_sha256": HASH,
        "schedule_sha256": HASH,
    },
    JobKind.REHEARSE: {"policy_sha256": HASH, "rehearsal_sha256": HASH},
    JobKind.DISCLOSE: {"auditor": "x", "order_sha256": HASH, "policy_sha256": HASH},
    JobKind.NON_RELEASE: {"envelopes": [HASH], "policy_sha256": HASH},
    JobKind.DRAW_KEY: {},
    JobKind.DRAW_PROVE: {"ct": b64u(b"x"), "custodian_key_sha256": HASH},
    JobKind.DRAW_ADMIT: {"policy_sha256": HASH},
    JobKind.DRAW_CHECK: {"attempt": 1, "documents": [HASH], "policy_sha256": HASH, "spec_sha256": HASH},
    JobKind.DRAW_RECOVER: {
        "attempt": 1,
        "parties": ["notary"],
        "policy_sha256": HASH,
        "sealed_h": HASH,
        "spec_sha256": HASH,
    },
    JobKind.DRAW_RELEASE_KEY: {"attempt": 1, "order_sha256": HASH, "policy_sha256": HASH, "use": "ed1.pool-key"},
}


@pytest.mark.parametrize("kind", list(JobKind))
def test_the_fields_of_each_kind(kind: JobKind) -> None:
    request = {**({"draw": "D-1"} if kind.is_draw else PLACE), **REQUESTS[kind]}
    assert read_job(build(kind=kind, request=request)).kind is kind
    for name in request:
        for bad in ({key: value for key, value in request.items() if key != name}, {**request, name: {}}):
            with pytest.raises(InvalidInput, match=r"job\.malformed"):
                build(kind=kind, request=bad)
    with pytest.raises(InvalidInput, match=r"job\.malformed"):
        build(kind=kind, request={**request, "more": 1})


@pytest.mark.parametrize("envelopes", [[], [HASH, HASH], ["b" * 64, HASH], ["x"]])
def test_envelopes_are_sorted_and_distinct(envelopes: list[str]) -> None:
    with pytest.raises(InvalidInput, match=r"job\.malformed"):
        build(kind=JobKind.NON_RELEASE, request={**PLACE, "envelopes": envelopes, "policy_sha256": HASH})


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/passwd",
        "docs/x.json",
        "docs/" + "A" * 64 + ".json",
        "log/01.tlog-proof",
        "parts/x.age",
        "bundle.json",
    ],
)
def test_names_that_do_not_belong_in_a_job(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"job\.malformed"):
        build({name: b""})
    if name != "bundle.json":
        assert code_of(rezip(build(), lambda files: files.update({name: b""}))) == "job.malformed"


def test_files_that_the_list_does_not_name_or_names_otherwise() -> None:
    job = build({"checkpoint": b"note"})
    assert code_of(rezip(job, lambda files: files.update({"order.json": b"{}"}))) == "job.malformed"
    assert code_of(rezip(job, lambda files: files.pop("checkpoint"))) == "job.malformed"
    assert code_of(rezip(job, lambda files: files.update({"checkpoint": b"noTe"}))) == "job.malformed"
    assert code_of(rezip(job, lambda files: files.pop("bundle.json"))) == "doc.not_canonical"


def _bundle(**changes: Any) -> Any:  # noqa: ANN401 - fields of bundle.json
    def change(files: dict[str, bytes]) -> None:
        files["bundle.json"] = dumps({**loads_object(files["bundle.json"]), **changes})

    return change


@pytest.mark.parametrize("changes", [{"kind": "audit"}, {"typ": "x"}, {"v": 2}, {"origin": 5}, {"lot": "2"}])
def test_a_bundle_list_that_is_not_that_of_a_job(changes: dict[str, Any]) -> None:
    assert code_of(rezip(build(), _bundle(**changes))) == "job.malformed"


def test_a_document_under_another_name_and_a_missing_request() -> None:
    with_doc = build({f"docs/{HASH}.json": b"{}"})
    assert code_of(with_doc) == "job.malformed"

    def without_request(files: dict[str, bytes]) -> None:
        files.pop("request.json")
        rows = [row for row in loads_object(files["bundle.json"])["files"] if row["path"] != "request.json"]
        _bundle(files=rows)(files)

    assert code_of(rezip(build(), without_request)) == "job.incomplete"


def test_duplicates_encryption_and_odd_compression_are_refused() -> None:
    target = io.BytesIO(build())
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(target, "a") as archive:
        archive.writestr("request.json", b"{}")
    assert code_of(target.getvalue()) == "job.malformed"
    assert code_of(rezip(build(), lambda _files: None, method=zipfile.ZIP_BZIP2)) == "job.malformed"
    data = bytearray(build())
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    assert code_of(bytes(data)) == "job.malformed"


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x03\x04" + bytes(40), b"{}"])
def test_what_is_no_zip(data: bytes) -> None:
    assert code_of(data) == "job.malformed"


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    job = build({"checkpoint": bytes(1_000_000)})
    assert code_of(job) == "job.too_large"  # more than 200 times its packed size
    plain = rezip(build({"checkpoint": b"x" * 3000}), lambda _files: None, method=zipfile.ZIP_STORED)
    read_job(plain)
    monkeypatch.setattr(jobs, "_MAX_FILE", 2999)
    assert code_of(plain) == "job.too_large"
    monkeypatch.setattr(jobs, "MAX_FILES", 1)
    assert code_of(plain) == "job.too_large"
    monkeypatch.setattr(jobs, "MAX_PACKED", 100)
    assert code_of(plain) == "job.too_large"


def test_a_directory_that_understates_a_size_is_refused() -> None:
    data = bytearray(rezip(build({"checkpoint": b"x" * 3000}), lambda _files: None, method=zipfile.ZIP_STORED))
    name = data.rindex(b"checkpoint")
    struct.pack_into("<I", data, name - 46 + 24, 10)
    assert code_of(bytes(data)) in {"job.malformed", "job.too_large"}


@given(st.data())
def test_a_changed_byte_is_refused_or_harmless(data: st.DataObject) -> None:
    job = bytearray(build({**document_files(DOC), "checkpoint": b"note"}))
    at = data.draw(st.integers(0, len(job) - 1))
    job[at] ^= data.draw(st.integers(1, 255))
    try:
        read = read_job(bytes(job))
    except InvalidInput:
        return
    assert read == read_job(build({**document_files(DOC), "checkpoint": b"note"}))


# Answers.


def test_each_kind_of_answer() -> None:
    assert read_answer(JobKind.CHECK, {"answer": DOC.wire(), "job": "j"}).document == DOC
    assert read_answer(None, {"answer": DOC.wire(), "job": None}).document == DOC
    told = {"challenge": HASH, "custodian_key_sha256": HASH}
    assert read_answer(JobKind.PROVE, {"answer": told, "job": "j"}).content == told
    refusal = read_answer(JobKind.CHECK, {"job": "j", "refusal": {"code": "order.early", "detail": ""}}).refusal
    assert refusal is not None
    assert refusal.code == "order.early"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (JobKind.CHECK, {"answer": DOC.wire()}),
        (JobKind.CHECK, {"answer": DOC.wire(), "job": None}),
        (None, {"answer": DOC.wire(), "job": "j"}),
        (JobKind.PROVE, {"answer": {"challenge": HASH}, "job": "j"}),
        (JobKind.REHEARSE, {"answer": {"bid": "b", "ok": 1, "rehearsal_sha256": HASH}, "job": "j"}),
        (JobKind.CHECK, {"job": "j", "refusal": {"code": "Order Early", "detail": ""}}),
        (JobKind.CHECK, {"answer": DOC.wire(), "job": "j", "refusal": {}}),
    ],
)
def test_malformed_answers(kind: JobKind | None, body: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"answer\.malformed"):
        read_answer(kind, body)


def test_a_signed_answer_must_be_a_wire_form() -> None:
    with pytest.raises(InvalidInput):
        read_answer(JobKind.CHECK, {"answer": {"doc": 1, "sigs": []}, "job": "j"})


# Statements and polls.


def test_statements_are_read_back() -> None:
    raw = make_non_release("1", "all", ["b" * 64, HASH], policy_sha256=HASH, custodian=2, created=1)
    statement = parse_non_release(raw)
    assert (statement.envelopes, statement.lot, statement.raw) == ((HASH, "b" * 64), "1", raw)
    assert parse_key_destroyed(make_key_destroyed(HASH, custodian=2, created=1)).custodian == 2


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"at": 1_060_000}, None),
        ({"at": 940_000}, None),
        ({"at": 1_060_001}, "poll.stale"),
        ({"at": 939_999}, "poll.stale"),
        ({"origin": "log.other"}, "poll.wrong_audience"),
        ({"kid": "b" * 64}, "poll.wrong_key"),
    ],
)
def test_polls_are_fresh_for_one_minute(changes: dict[str, Any], code: str | None) -> None:
    raw = make_poll(audience="log.example", custodian_kid=HASH, nonce=bytes(16), created=1_000_000)
    arguments: dict[str, Any] = {"origin": "log.example", "kid": HASH, "at": 1_000_000} | changes
    if code is None:
        require_fresh_poll(parse_poll(raw), **arguments)
        return
    with pytest.raises((RuleBroken, InvalidInput)) as caught:
        require_fresh_poll(parse_poll(raw), **arguments)
    assert isinstance(caught.value, RuleBroken | InvalidInput)
    assert caught.value.code == code
