"""The custodian's part in a draw after its seal: recovery of what was not revealed, keys for the auditor (ED1 D7)."""

from __future__ import annotations

from typing import Final

from agents.custodian import words
from agents.custodian.agent import Agent
from agents.custodian.draws import Attempt, known_attempt, logged_of
from agents.custodian.evidence import Evidence, Logged, read_evidence
from agents.custodian.shares import open_share
from agents.custodian.state import Place
from agents.seals import WitnessedSeal, read_witnessed_seal
from trading.audit.rules.bounds import FLOOR_MS, SECOND_MS
from trading.crypto.keys import hpke_seal, release_info
from trading.custody.rules.jobs import Job
from trading.experts.rules.checks import CheckCode
from trading.experts.rules.contributions import Contribution, Escrow, parse_contribution, parse_escrow
from trading.experts.rules.keys import RELEASE_MS, make_key_release, parse_key_order
from trading.experts.rules.reveals import make_recovery
from trading.experts.rules.seal import SEALED, Seal, read_seal
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.fields import type_of
from trading.kernel.signed import SignedDocument

#: Receipt of ``draw.sealed`` under an older checkpoint: when the seal was witnessed first.
SEAL_FILE: Final = "seal.tlog-proof"
#: Kind under which the agent keeps the receipts of seals.
PROOFS: Final = "draw-seal-proof"


def recover_draw(agent: Agent, job: Job, confirm: words.Confirm) -> dict[str, list[dict[str, object]]]:
    """Publish the own shares of listed contributions that were not revealed in time; one seal per attempt is answered.

    Not before ``reveal_ms`` have passed since the seal was witnessed. A share that this agent did not call ``ok`` is
    left out: it has none to give.

    Raises:
        RuleBroken: ``draw.unchecked``, ``draw.seal_fork``, ``draw.recover_early``, ``draw.not_listed``,
            ``order.not_included``.
        InvalidInput: The job is not as it must be.
    """
    evidence, attempt = read_evidence(agent, job), known_attempt(agent, job)
    seal, witnessed_ms = _seal(agent, job, evidence, attempt)
    over = witnessed_ms + attempt.spec.reveal_ms
    if agent.clock.now_ms() < over:
        raise RuleBroken("draw.recover_early", "ED1 D7", over=over)
    listed = {party: seal.contribution_of(party) for party in job.request["parties"]}
    if None in listed.values():
        raise RuleBroken("draw.not_listed", "ED1 D7", parties=sorted(p for p, found in listed.items() if found is None))
    confirm(words.of_recovery(attempt.spec, sorted(listed)))
    made = [_recovery(agent, attempt, party, str(name), job.request["sealed_h"]) for party, name in listed.items()]
    return {"recoveries": [signed.wire() for signed in made if signed is not None]}


def _seal(agent: Agent, job: Job, evidence: Evidence, attempt: Attempt) -> tuple[Seal, int]:
    """Return the seal that the job names with the instant at which it was surely witnessed; remember both for ever."""
    h, place = job.request["sealed_h"], attempt.place
    record = evidence.by_h(h)
    if record.kind != SEALED:
        raise RuleBroken("order.not_included", "ED1 D7", kind=SEALED)
    seal = read_seal(record.body, attempt.spec)
    now = agent.clock.now_ms()
    with agent.state.transaction():
        stored = agent.state.answer("draw-seal", place, attempt.question())
        if stored is None:
            seen = {"sealed_h": h, "witnessed_ms": _witnessed_ms(agent, job, evidence, attempt, record)}
            agent.state.add_answer("draw-seal", place, attempt.question(), dumps(seen), now)
            _keep_proof(agent, attempt, record, now)
            agent.journal.write(now, "draw.seal_seen", draw=attempt.spec.draw, attempt=attempt.spec.attempt, **seen)
            return seal, int(seen["witnessed_ms"])
    known = loads_object(stored)
    if known["sealed_h"] != h:
        _keep_proof(agent, attempt, record, now)
        raise RuleBroken("draw.seal_fork", "ED1 D13", answered=known["sealed_h"], shown=h)
    return seal, int(known["witnessed_ms"])


def _keep_proof(agent: Agent, attempt: Attempt, record: Logged, now: int) -> None:
    """Keep the receipt of a seal that was shown: two of one attempt prove a fork (D7)."""
    question = attempt.question(record.h)
    if agent.state.answer(PROOFS, attempt.place, question) is None:
        agent.state.add_answer(PROOFS, attempt.place, question, record.proof, now)


def seal_proofs(agent: Agent, draw: str) -> dict[str, bytes]:
    """Return the receipts of every seal of a draw that was shown to this agent, by ``attempt:h``, oldest first."""
    place = Place.of_draw(draw)
    found = (
        (question, agent.state.answer(PROOFS, place, question)) for question in agent.state.questions(PROOFS, place)
    )
    return {question: proof for question, proof in found if proof is not None}


def _witnessed_ms(agent: Agent, job: Job, evidence: Evidence, attempt: Attempt, record: Logged) -> int:
    """Return T_up of the oldest checkpoint at hand that contains the seal (TE1 T7): its own receipt, or the job's."""
    latest = SECOND_MS * evidence.witnessed.up_s + FLOOR_MS
    if SEAL_FILE not in job.files:
        return latest
    first: WitnessedSeal = read_witnessed_seal(agent.trust, job.files[SEAL_FILE], attempt.spec)
    if (first.position, first.h) != (record.position, record.h):
        raise InvalidInput("job.malformed", "the older receipt is of another seal")
    return min(latest, first.witnessed_ms)


def _recovery(agent: Agent, attempt: Attempt, party: str, name: str, sealed_h: str) -> SignedDocument | None:
    place, question = attempt.place, attempt.question(party)
    stored = agent.state.answer("draw-recover", place, question)
    if stored is not None:
        return SignedDocument.from_wire(stored)
    doc = agent.state.envelope(name)
    if doc is None or agent.state.answer("draw-code", place, attempt.question(name)) != CheckCode.OK.value.encode():
        return None
    contribution = parse_contribution(doc)
    share = _share(agent, attempt, contribution)
    signed = agent.sign(make_recovery(contribution, share, sealed_h, custodian=attempt.custodian))
    now = agent.clock.now_ms()
    with agent.state.transaction():
        agent.state.add_answer("draw-recover", place, question, signed.wire_bytes(), now)
        agent.journal.write(now, "draw.recovered", draw=attempt.spec.draw, party=party, recovery=signed.sha256)
    return signed


def _share(agent: Agent, attempt: Attempt, document: Contribution | Escrow) -> bytes:
    own = agent.share_key(attempt.place)
    opened = open_share(own, document.shares[attempt.custodian - 1], document.context)
    if opened.share is None:
        raise RuleBroken("draw.unchecked", "ED1 D7", share=opened.code.value)
    return opened.share


def release_draw_key(agent: Agent, job: Job, confirm: words.Confirm) -> SignedDocument:
    """Seal the own share of K_draw or K_x to the auditor that a supervisor's order names (D7 Keys).

    Only after a witnessed result or cancellation of the attempt, or 24 h after its seed.

    Raises:
        RuleBroken: ``draw.unchecked``, ``draw.other_spec``, ``draw.key_early``, ``order.not_included``.
        InvalidInput: ``sig.…``, ``doc.…``, ``job.incomplete``.
    """
    evidence, attempt = read_evidence(agent, job), known_attempt(agent, job)
    signed_order = job.document(job.request["order_sha256"])
    order = parse_key_order(signed_order.doc)
    agent.require_signers(signed_order, "supervisor")
    if (order.draw, order.spec_sha256, order.use) != (
        attempt.spec.draw,
        attempt.spec.sha256,
        job.request["use"],
    ):
        raise RuleBroken("draw.other_spec", "ED1 D7", detail="the order is of another attempt or key")
    stored = agent.state.answer("draw-key-release", attempt.place, order.sha256)
    if stored is not None:
        return SignedDocument.from_wire(stored)
    ordered = logged_of(evidence, "draw.key_ordered", attempt.spec.draw, attempt.spec.attempt)
    if not any(record.body.get("order_sha256") == order.sha256 for record in ordered):
        raise RuleBroken("order.not_included", "ED1 D7", kind="draw.key_ordered")
    _require_over(agent, evidence, attempt)
    escrow = _escrow(agent, attempt, order.use)
    confirm(words.of_key_release(attempt.spec, order.use))
    info = release_info(attempt.custodian, bytes.fromhex(order.sha256), bytes.fromhex(escrow.sha256))
    ct = hpke_seal(order.hpke_pk, info, _share(agent, attempt, escrow))
    signed, now = agent.sign(make_key_release(order, ct, custodian=attempt.custodian)), agent.clock.now_ms()
    with agent.state.transaction():
        agent.state.add_answer("draw-key-release", attempt.place, order.sha256, signed.wire_bytes(), now)
        agent.journal.write(now, "draw.key_released", draw=order.draw, use=order.use, order_sha256=order.sha256)
    return signed


def _require_over(agent: Agent, evidence: Evidence, attempt: Attempt) -> None:
    draw, number = attempt.spec.draw, attempt.spec.attempt
    if any(next(logged_of(evidence, kind, draw, number), None) for kind in ("draw.result", "draw.cancelled")):
        return
    seeded = next(logged_of(evidence, "draw.seeded", draw, number), None)
    if seeded is None or min(evidence.witnessed.low_ms, agent.clock.now_ms()) < seeded.at + RELEASE_MS:
        raise RuleBroken("draw.key_early", "ED1 D7", draw=draw)


def _escrow(agent: Agent, attempt: Attempt, use: str) -> Escrow:
    """Return the escrow of a key that this agent called ``ok`` last."""
    prefix = attempt.question("")
    for question in reversed(agent.state.questions("draw-code", attempt.place)):
        name = question.removeprefix(prefix)
        doc = agent.state.envelope(name) if question.startswith(prefix) else None
        if doc is not None and type_of(doc) == "ed1.escrow" and parse_escrow(doc).use == use:
            return parse_escrow(doc)
    raise RuleBroken("draw.unchecked", "ED1 D7", use=use)
