"""From a practice tender that was asked for to one that takes bids: share keys, policy, schedule (SB1 S3)."""

from __future__ import annotations

from pathlib import Path

from trading.audit.runtime import Runtime
from trading.audit.service import platform_ms
from trading.crypto.signatures import sign_document
from trading.custody import queries as custody_queries
from trading.custody import service as custody
from trading.kernel.canonical import loads_object
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Actor
from trading.notices import drafting
from trading.participation import practising
from trading.participation.rules.practice import AGENCY, CUSTODIANS, LOT, STAGE, leaves_time
from trading.practice.parties import signer
from trading.procedures import queries as procedures
from trading.procedures.rules.spec import parse_spec


def prepare(runtime: Runtime, folder: Path, actor: Actor, reference: str) -> bool:
    """Ask the custodians for their keys, or open the tender with them; return whether it takes bids now.

    To be called again until it does. One whose deadline has come too near is left alone: the bidder asks for another.
    """
    with runtime.ledger.read() as conn:
        row = procedures.find(conn, reference)
        now = platform_ms(conn)
        given = custody_queries.keys_of_lot(conn, row.id, LOT, STAGE)
    if not leaves_time(now, parse_spec(loads_object(row.spec)).close):
        return False
    holders = {key.kid for key in given}
    for party in CUSTODIANS:
        kid = signer(folder, party, "custodian").kid
        if kid not in holders:
            place = {"tender": reference, "lot": LOT, "stage": STAGE}
            titles = (row.title_zh, row.title_en)
            custody.ask_for_key(runtime.ledger, kid=kid, procedure_id=row.id, titles=titles, **place)
    if sum(key.state == "proved" for key in given) < len(CUSTODIANS):
        return False
    with runtime.ledger.read() as conn:
        (drafted,) = drafting.tender_draft(conn, reference, at=now, demo=runtime.demo).lots
    key = signer(folder, AGENCY, "agency")
    try:
        practising.open_lot(
            runtime, actor, reference, sign_document(drafted.policy, key), sign_document(drafted.schedule, key)
        )
    except RuleBroken as error:
        if error.code != "custodian.unproved":
            raise
        return False
    return True
