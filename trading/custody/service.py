"""Use cases of custody: share keys with proof of possession, the opening policy, jobs for agents (SB1 S3, S13)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.audit.service import platform_ms
from trading.bids.rules.policy import CustodianKey, Policy, parse_custodian_key, parse_policy, require_admissible
from trading.crypto.keys import hpke_seal, pop_info, xwing_kid
from trading.crypto.signatures import SignedDocument, verify_es256
from trading.custody import model, queries, store
from trading.custody.queries import KeyRow
from trading.custody.rules.documents import POLL_TOLERANCE_MS, parse_poll, require_fresh_poll
from trading.custody.rules.jobs import JobKind
from trading.documents import queries as stored
from trading.documents import store as documents
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u
from trading.kernel.errors import Conflict, InvalidInput, NotFound, RuleBroken
from trading.kernel.ids import is_practice
from trading.kernel.roles import Actor
from trading.parties import queries as parties
from trading.parties import store as keys
from trading.parties.model import SigningKey, key_registered
from trading.parties.queries import keys_by_kid


def ask_for_key(
    ledger: Ledger, *, kid: str, procedure_id: int, tender: str, lot: str, stage: str, titles: tuple[str, str]
) -> str:
    """Ask an institution for a share key of a lot and stage; a person decides there. Technical: no record."""
    request = {"lot": lot, "stage": stage, "tender": tender, "title_zh": titles[0], "title_en": titles[1]}
    with ledger.upkeep() as conn:
        return store.add_job(
            conn,
            kid=kid,
            kind=JobKind.KEY.value,
            procedure_id=procedure_id,
            lot=lot,
            stage=stage,
            custodian=0,
            request=request,
        )


def admit_poll(ledger: Ledger, signed: SignedDocument, *, origin: str, role: str) -> SigningKey:
    """Return the key of this role that signed a fresh ``mb.poll`` for this log (S13.3).

    Raises:
        InvalidInput: Malformed, or the signature does not verify.
        RuleBroken: ``sig.missing``, ``sig.key_unknown``, ``poll.wrong_audience``, ``poll.stale``, ``poll.replayed``.
    """
    poll = parse_poll(signed.doc)
    if len(signed.sigs) != 1:
        raise RuleBroken("sig.missing", "SB1 S13.3")
    with ledger.upkeep() as conn:
        key = keys.key_by_kid(conn, signed.sigs[0]["kid"])
        if key is None or key.role != role or not key.active:
            raise RuleBroken("sig.key_unknown", "SB1 S13.3", kid=signed.sigs[0]["kid"])
        verify_es256(key.spki, signed.doc, signed.sigs[0])
        at = platform_ms(conn)
        require_fresh_poll(poll, origin=origin, kid=key.kid, at=at)
        # A poll older than twice the tolerance can never be fresh again, so its nonce may be forgotten.
        too_old = at - 2 * POLL_TOLERANCE_MS
        if not store.add_nonce(conn, key.kid, poll.nonce, poll.created, forget_before=too_old):
            raise RuleBroken("poll.replayed", "SB1 S13.3")
    return key


def register_share_key(
    ledger: Ledger, actor: Actor, procedure_id: int, place: tuple[str, str, str], signed: SignedDocument
) -> Recorded | None:
    """Register a share key and challenge its holder (S3.2); None for the same document again.

    Args:
        ledger: Where to record.
        actor: The institution.
        procedure_id: Row id of the procedure.
        place: Tender, lot and stage that the institution was asked about.
        signed: The signed ``sb1.custodian-key``.

    Raises:
        InvalidInput: The document is malformed or of another place.
        RuleBroken: ``sig.missing``, ``sig.key_unknown``.
        Conflict: The institution has given another key for this place.
    """
    document = parse_custodian_key(signed.doc)
    if (document.tender, document.lot, document.stage) != place:
        raise InvalidInput("doc.bad_field", "the key is for another tender, lot or stage than was asked")
    with ledger.begin(actor) as uow:
        institution = _institution(uow, signed)
        if store.lock_key(uow, signed.sha256) is not None:
            return None
        known = queries.keys_of_lot(uow.connection, procedure_id, document.lot, document.stage)
        if any(row.kid == institution.kid for row in known):
            raise Conflict(f"{institution.kid} has given another key for this lot")
        challenge = secrets.token_bytes(32)
        uow.record(_share_key(document, institution))
        event = model.challenged(
            procedure=document.tender,
            procedure_id=procedure_id,
            lot=document.lot,
            custodian_key_sha256=signed.sha256,
            challenge_sha256=sha256_hex(challenge),
        )
        recorded = uow.record(event)
        documents.add(uow, recorded, procedure_id, signed)
        store.add_key(uow, recorded, _row(document, institution, procedure_id, signed.sha256, challenge))
        request = {
            "ct": b64u(hpke_seal(document.hpke_pk, pop_info(signed.doc), challenge)),
            "custodian_key_sha256": signed.sha256,
            "lot": document.lot,
            "stage": document.stage,
            "tender": document.tender,
        }
        ask(uow, institution.kid, procedure_id, JobKind.PROVE, 0, request)
    return recorded


def _institution(uow: UnitOfWork, signed: SignedDocument) -> SigningKey:
    if len(signed.sigs) != 1:
        raise RuleBroken("sig.missing", "SB1 S3.2")
    # Exclusively, so that one institution's two answers at once are taken one after the other.
    key = keys.lock_key(uow, signed.sigs[0]["kid"], for_update=True)
    if key is None or key.role != "custodian" or not key.active:
        raise RuleBroken("sig.key_unknown", "SB1 S3.2", kid=signed.sigs[0]["kid"])
    verify_es256(key.spki, signed.doc, signed.sigs[0])
    return key


def _share_key(document: CustodianKey, institution: SigningKey) -> Any:  # noqa: ANN401 - an Event
    kid = xwing_kid(document.hpke_pk)
    return key_registered(
        kid=kid,
        org=institution.org_code,
        role="share",
        alg=document.suite,
        spki_sha256=kid,
        approvers=(institution.kid,),
        second_factor=False,
    )


def _row(
    document: CustodianKey, institution: SigningKey, procedure_id: int, doc_sha256: str, challenge: bytes
) -> KeyRow:
    return KeyRow(
        procedure_id=procedure_id,
        lot=document.lot,
        stage=document.stage,
        kid=institution.kid,
        name=document.name,
        role=document.role,
        doc_sha256=doc_sha256,
        challenge_sha256=sha256_hex(challenge),
        state="challenged",
    )


def prove_possession(ledger: Ledger, actor: Actor, custodian_key_sha256: str, challenge: bytes) -> Recorded | None:
    """Record that the holder opened the challenge (S3.2); None if it had before.

    Raises:
        NotFound: No such key.
        RuleBroken: ``custodian.proof_differs``.
    """
    with ledger.begin(actor) as uow:
        key = store.lock_key(uow, custodian_key_sha256)
        if key is None:
            raise NotFound(custodian_key_sha256)
        if sha256_hex(challenge) != key.challenge_sha256:
            raise RuleBroken("custodian.proof_differs", "SB1 S3.2")
        if key.state == "proved":
            return None
        found = stored.get(uow.connection, bytes.fromhex(custodian_key_sha256))
        if found is None:
            raise NotFound(custodian_key_sha256)
        event = model.proved(
            procedure=parse_custodian_key(found.doc).tender,
            procedure_id=key.procedure_id,
            lot=key.lot,
            custodian_key_sha256=custodian_key_sha256,
            challenge=challenge.hex(),
        )
        recorded = uow.record(event)
        store.mark_proved(uow, recorded, key)
    return recorded


def require_policy_ready(
    uow: UnitOfWork, procedure_id: int, signed: SignedDocument, *, agency: str, demo: bool
) -> Policy:
    """Return the policy if every custodian in it holds a proved key of this lot and stage (S3.1 to S3.3).

    Args:
        uow: The act.
        procedure_id: Row id of the procedure.
        signed: The signed ``sb1.policy``.
        agency: Code of the procedure's agency: with the operator and all affiliates of both it holds fewer than k keys.
        demo: Whether the platform is a demonstration.

    Raises:
        RuleBroken: ``policy.…``, ``custodian.unproved``.
    """
    policy = parse_policy(signed.doc)
    _require_own_kind(uow, policy)
    require_admissible(policy, _too_close(uow, policy, agency))
    if policy.demo != demo:
        raise RuleBroken("policy.demo", "P13")
    proved = {
        key.kid: key
        for key in queries.keys_of_lot(uow.connection, procedure_id, policy.lot, policy.stage)
        if key.state == "proved"
    }
    for custodian in policy.custodians:
        key = proved.get(custodian.kid)
        found = None if key is None else stored.get(uow.connection, bytes.fromhex(key.doc_sha256))
        if key is None or found is None:
            raise RuleBroken("custodian.unproved", "SB1 S3.2", custodian=custodian.name)
        document = parse_custodian_key(found.doc)
        told = (document.hpke_pk, document.name, document.role, document.tender)
        if told != (custodian.hpke_pk, custodian.name, custodian.role, policy.tender):
            raise RuleBroken("policy.mismatch", "SB1 S3.3", custodian=custodian.name)
    return policy


def _require_own_kind(uow: UnitOfWork, policy: Policy) -> None:
    """Practice custodians keep keys of practice tenders, and only they do: the platform has their keys (ADR 0061)."""
    known = keys_by_kid(uow.connection, [row.kid for row in policy.custodians])
    playing = parties.practising(uow.connection, {key.org_code for key in known.values()})
    for row in policy.custodians:
        key = known.get(row.kid)
        if (key is not None and key.org_code in playing) is not is_practice(policy.tender):
            raise RuleBroken("policy.practice", None, custodian=row.name)


def _too_close(uow: UnitOfWork, policy: Policy, agency: str) -> frozenset[str]:
    """Return the names of custodians that are agency or operator or affiliated to one of them (S3.1 rule 1)."""
    keys_of = ((row, keys.key_by_kid(uow.connection, row.kid)) for row in policy.custodians)
    held_by = {row.name: key.org_code for row, key in keys_of if key is not None}
    close = parties.with_affiliates(uow.connection, {agency, *parties.centres(uow.connection)})
    return frozenset(name for name, code in held_by.items() if code in close)


def fix_policy(
    uow: UnitOfWork, procedure_id: int, policy: Policy, signed: SignedDocument, schedule_sha256: str
) -> Recorded:
    """Record ``policy.fixed`` and ask every custodian to admit the policy (S3.3)."""
    event = model.policy_fixed(
        procedure=policy.tender,
        procedure_id=procedure_id,
        lot=policy.lot,
        stage=policy.stage,
        policy_sha256=signed.sha256,
        schedule_sha256=schedule_sha256,
    )
    recorded = uow.record(event)
    documents.add(uow, recorded, procedure_id, signed)
    place = {"lot": policy.lot, "stage": policy.stage, "tender": policy.tender}
    request = {**place, "policy_sha256": signed.sha256, "schedule_sha256": schedule_sha256}
    for custodian in policy.custodians:
        ask(uow, custodian.kid, procedure_id, JobKind.ADMIT, custodian.i, request)
    return recorded


def ask(uow: UnitOfWork, kid: str, procedure_id: int, kind: JobKind, custodian: int, request: Mapping[str, Any]) -> str:
    """Put a job on the list of one institution, in the same transaction."""
    return store.add_job(
        uow.connection,
        kid=kid,
        kind=kind.value,
        procedure_id=procedure_id,
        lot=str(request["lot"]),
        stage=str(request["stage"]),
        custodian=custodian,
        request=request,
    )


def ask_all(
    uow: UnitOfWork, procedure_id: int, policy: Mapping[str, Any], kind: JobKind, request: Mapping[str, Any]
) -> None:
    """Put the same job on the list of every custodian of a policy document."""
    place = {"lot": policy["lot"], "stage": policy["stage"], "tender": policy["tender"]}
    for custodian in policy["custodians"]:
        ask(uow, custodian["kid"], procedure_id, kind, custodian["i"], {**place, **request})
