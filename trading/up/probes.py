"""The synthetic bidders of a demonstration: nobody of a desk is there yet, so its console registers them (P13)."""

from __future__ import annotations

from pathlib import Path

from agents.keys import enrolment, public_file, public_half
from agents.probe.state import Identity, ProbeState
from trading.accounts import service as accounts
from trading.accounts.service.people import CONSOLE
from trading.audit.runtime import Runtime
from trading.bids import probing
from trading.bids.rules.outages import VANTAGES
from trading.crypto.keyfiles import load_es256, save_es256
from trading.crypto.signatures import Es256Signer
from trading.kernel.canonical import dumps
from trading.kernel.credit_code import check_character
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Actor, Role
from trading.parties import service as parties
from trading.parties.queries import keys_of, organisation_by_code

SECOND = Actor(account="system:up", roles=frozenset({Role.DESK}))
_NAMES = {
    "operator": ("平台自测（运营方）", "Probe of the operator"),
    "supervisor": ("平台自测（监管方）", "Probe of the supervisor"),
}


def folder_of(data_dir: Path, vantage: str) -> Path:
    """Return the folder of a vantage point's synthetic bidder."""
    return data_dir / "probes" / vantage


def set_up(runtime: Runtime, folder: Path, vantage: str) -> None:
    """Register a synthetic bidder and open its lot, unless that is done; a start that died half way goes on here."""
    if (folder / "probe.json").exists():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    code, login = _code(vantage), f"probe-{vantage}"
    _register(runtime, vantage, code, login)
    _enrol(runtime, _signer(folder), code, login)
    lot = probing.open_lot(runtime.ledger, _actor(runtime, login), vantage)
    identity = Identity(**lot.told(), origin=runtime.origin, log_policy=runtime.witness_policy)
    (folder / "token").unlink(missing_ok=True)
    token = accounts.issue_token(runtime.ledger, login, ("write:bids", "read:own"))
    ProbeState.create(folder, identity, token)


def _code(vantage: str) -> str:
    """Return an invented credit code; nobody is registered under it."""
    body = f"91110108MA0PRB{VANTAGES.index(vantage):03d}"
    return body + check_character(body)


def _register(runtime: Runtime, vantage: str, code: str, login: str) -> None:
    with runtime.ledger.read() as conn:
        known = organisation_by_code(conn, code)
    if known is None:
        zh, en = _NAMES[vantage]
        parties.register_organisation(runtime.ledger, CONSOLE, code=code, name_zh=zh, name_en=en, roles=("bidder",))
    try:
        accounts.create_account(runtime.ledger, login=login, org_code=code, roles=(Role.BIDDER,))
    except RuleBroken as error:
        if error.code != "account.login_taken":
            raise


def _signer(folder: Path) -> Es256Signer:
    key = folder / "bidder.key"
    if not key.exists():
        save_es256(key, Es256Signer.generate(), None)
    signer = load_es256(key, None)
    public_file(key).write_bytes(dumps(public_half(signer, "bidder")))
    return signer


def _enrol(runtime: Runtime, signer: Es256Signer, code: str, login: str) -> None:
    with runtime.ledger.read() as conn:
        known = {key.kid for key in keys_of(conn, code, "bidder")}
    if signer.kid in known:
        return
    account, challenge = accounts.issue_challenge(runtime.ledger, login)
    facts = {"account": account, "challenge": challenge.hex(), "org": code, "role": "bidder"}
    document = enrolment(signer, **facts, created=runtime.clock.now_ms())
    accounts.enrol_key(runtime.ledger, (CONSOLE, SECOND), document)


def _actor(runtime: Runtime, login: str) -> Actor:
    with runtime.ledger.upkeep() as conn:
        return accounts.actor_of(conn, login)
