"""Practice tenders in tests that need no agents: the custodians give their keys in this process, none opens a share."""

from __future__ import annotations

from pathlib import Path

from trading.accounts import service as accounts
from trading.accounts.service.people import CONSOLE
from trading.audit.runtime import Runtime
from trading.crypto.keys import XWingPrivateKey, hpke_open, pop_info
from trading.crypto.signatures import Es256Signer, sign_document
from trading.custody import queries as custody_queries
from trading.custody import service as custody
from trading.kernel.canonical import dumps
from trading.kernel.digests import sha256
from trading.kernel.encoding import b64u, b64u_decode
from trading.kernel.roles import Actor
from trading.notices import drafting
from trading.participation import practising
from trading.participation.rules.practice import AGENCY, CUSTODIANS, LOT, STAGE, Party
from trading.practice.parties import set_up, signer
from trading.practice.preparing import prepare
from trading.procedures import queries as procedures
from trading.up.probes import SECOND


def offer(runtime: Runtime, folder: Path) -> None:
    """Set up the organisations of practice."""
    set_up(runtime, folder, (CONSOLE, SECOND))


def open_practice(runtime: Runtime, folder: Path, reference: str) -> None:
    """Have the custodians of a practice tender give their keys, and open it for bids."""
    actor = actor_of(runtime, AGENCY.login)
    assert not prepare(runtime, folder, actor, reference), "before any key is there"
    for party in CUSTODIANS:
        give_own_key(runtime, folder, party, reference)
    assert prepare(runtime, folder, actor, reference)


def open_foreign(runtime: Runtime, folder: Path, reference: str) -> None:
    """Try to open a practice tender with the keys of whoever has given them."""
    with runtime.ledger.read() as conn:
        (drafted,) = drafting.tender_draft(conn, reference, at=runtime.clock.now_ms(), demo=runtime.demo).lots
    key = signer(folder, AGENCY, "agency")
    policy, schedule = sign_document(drafted.policy, key), sign_document(drafted.schedule, key)
    practising.open_lot(runtime, actor_of(runtime, AGENCY.login), reference, policy, schedule)


def give_own_key(runtime: Runtime, folder: Path, party: Party, reference: str) -> None:
    """Register the share key of a practice custodian for any tender, and prove its possession."""
    give_key(runtime, signer(folder, party, "custodian"), (party.name_zh, party.code), reference)


def give_key(runtime: Runtime, key: Es256Signer, whose: tuple[str, str], reference: str) -> None:
    """Register the share key of an institution, known by name and code, and prove its possession."""
    (name, code), seed = whose, sha256(key.kid.encode())
    document = {
        "created": runtime.clock.now_ms(),
        "hpke_pk": b64u(XWingPrivateKey.from_seed(seed).public.raw),
        "lot": LOT,
        "name": name,
        "role": "other",
        "stage": STAGE,
        "suite": "SB1-XWING-AGE",
        "tender": reference,
        "typ": "sb1.custodian-key",
        "v": 1,
    }
    signed, who = sign_document(dumps(document), key), Actor.party(key.kid, code)
    with runtime.ledger.read() as conn:
        row = procedures.find(conn, reference)
    custody.register_share_key(runtime.ledger, who, row.id, (reference, LOT, STAGE), signed)
    with runtime.ledger.read() as conn:
        waiting = custody_queries.waiting(conn, key.kid, 0)
    job = next(each for each in waiting if (each.kind, each.procedure_id) == ("prove", row.id))
    challenge = hpke_open(seed, pop_info(signed.doc), b64u_decode(job.request["ct"]))
    custody.prove_possession(runtime.ledger, who, signed.sha256, challenge)


def actor_of(runtime: Runtime, login: str) -> Actor:
    with runtime.ledger.upkeep() as conn:
        return accounts.actor_of(conn, login)
