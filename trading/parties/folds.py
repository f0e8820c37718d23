"""What records about organisations and keys say of their rows, and who signed the stored documents (AL1 L11.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, select

from trading.audit.replay import Compare, Fold, Mismatch, Replayed, State
from trading.crypto.signatures import verify_es256
from trading.documents.folds import named
from trading.documents.tables import document
from trading.kernel.canonical import loads_object
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import InvalidInput
from trading.kernel.signed import SignedDocument
from trading.parties.model import SigningKey
from trading.parties.queries import keys_by_kid
from trading.parties.tables import organisation, signing_key

REPLAYED: Final = (Replayed(table=organisation.name, key=("code",)), Replayed(table=signing_key.name, key=("kid",)))


def _organisation(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    names = {"name_zh": body["name_zh"], "name_en": body["name_en"]}
    state.row("organisation", body["code"]).update(roles=sorted(body["roles"]), **names)


def _registered(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    if body["role"] != "share":  # share keys stand in custody, under their procedure
        state.row("signing_key", body["kid"]).update(
            org_code=body["org"], role=body["role"], alg=body["alg"], status="active"
        )
    if "enrol_sha256" in body:
        named(state, body["enrol_sha256"])


def _revoked(state: State, record: Mapping[str, Any]) -> None:
    body = record["body"]
    state.row("signing_key", body["kid"]).update(status="revoked")
    if "revoke_sha256" in body:
        named(state, body["revoke_sha256"])


FOLDS: Final[Mapping[str, Fold]] = {
    "organisation.registered": _organisation,
    "key.registered": _registered,
    "key.revoked": _revoked,
}


def compare_keys(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield every key whose bytes are not those that its id is the hash of."""
    if state.procedure_id is not None:
        return
    for row in conn.execute(select(signing_key.c.id, signing_key.c.kid, signing_key.c.spki)):
        if sha256_hex(bytes(row.spki)) != row.kid:
            yield Mismatch(table="signing_key", id=row.id, column="spki", stored="another key", expected=row.kid)


def compare_signatures(conn: Connection, state: State) -> Iterator[Mismatch]:
    """Yield every document with a signature that no registered key made."""
    query = select(document.c.id, document.c.bytes, document.c.sigs, document.c.sha256)
    rows = conn.execute(query.where(document.c.procedure_id.is_not_distinct_from(state.procedure_id))).all()
    unsigned = {(bytes.fromhex(digest), b"[]") for digest in state.facts.get("unsigned", ())}
    asked = [row for row in rows if (bytes(row.sha256), bytes(row.sigs)) not in unsigned]
    faults = faults_of_signatures(conn, {row.id: (bytes(row.bytes), bytes(row.sigs)) for row in asked})
    for row_id, fault in faults.items():
        yield Mismatch(table="document", id=row_id, column="sigs", stored=fault, expected="valid signatures")


def faults_of_signatures(conn: Connection, stored: Mapping[int, tuple[bytes, bytes]]) -> dict[int, str]:
    """Return, by row, what is wrong with stored signature arrays. Whose signatures they must be, the verifier says."""
    faults: dict[int, str] = {}
    signed: dict[int, SignedDocument] = {}
    for row_id, (doc, sigs) in stored.items():
        try:
            signed[row_id] = SignedDocument.from_parts(doc, sigs)
        except InvalidInput as error:
            faults[row_id] = str(error)
    keys = keys_by_kid(conn, {signature["kid"] for each in signed.values() for signature in each.sigs})
    for row_id, each in signed.items():
        if fault := _fault(each, keys):
            faults[row_id] = fault
    return faults


# How many sign a document of a type (P4.4), where it is not one.
_SIGNERS: Final = {
    "ed1.final": 0,  # derived from what the contributors signed (ED1 D8)
    "mb.committee-plan": 0,  # planned and requested by a person who is signed in, the record being the signature
    "mb.draw-request": 0,
    "mb.edition": 0,
    "mb.evaluation-report": 0,  # members sign by a second factor, the record being the signature
    "mb.score-sheet": 0,
    "sb1.open-order": 2,
    "sb1.factor-list": 2,
    "sb1.transcript": 2,
}


def _fault(signed: SignedDocument, keys: Mapping[str, SigningKey]) -> str | None:
    try:
        content = loads_object(signed.doc)
    except InvalidInput:
        return None  # reported as a document
    derived = content.get("cause") is not None  # a schedule that follows from evidence is signed by nobody (TE1 T6)
    needed = 0 if derived else _SIGNERS.get(str(content.get("typ")), 1)
    if len(signed.sigs) < needed:
        return f"{len(signed.sigs)} of {needed} signatures"
    for signature in signed.sigs:
        if signature["kid"] not in keys:
            return f"unknown key {signature['kid']}"
        try:
            verify_es256(keys[signature["kid"]].spki, signed.doc, signature)
        except InvalidInput as error:
            return str(error)
    return None


COMPARE: Final[tuple[Compare, ...]] = (compare_keys, compare_signatures)
