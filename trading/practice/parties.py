"""The platform's own organisations that play in practice tenders: registered like others, with keys of their own.

Their keys lie in one folder, because a practice tender is secret from nobody who runs the platform.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from agents.custodian.agent import Agent, create_agent, open_agent
from agents.keys import enrolment
from agents.pinning import TRUST_FILE
from trading.accounts import service as accounts
from trading.audit.runtime import Runtime
from trading.crypto.files import write_secret
from trading.crypto.keyfiles import load_es256, save_es256
from trading.crypto.signatures import Es256Signer
from trading.kernel.errors import RuleBroken
from trading.kernel.roles import Actor, Role
from trading.participation import practising
from trading.participation.rules.practice import (
    AGENCY,
    CUSTODIANS,
    ORGANISATION_ROLES,
    PARTIES,
    SUPERVISOR,
    Party,
)
from trading.parties import service as parties
from trading.parties.queries import keys_of, organisation_by_code

JOBS_PER_MINUTE: Final = 10_000  # custodians of practice serve everybody who practises
_ROLES: Final = {AGENCY.name: Role.AGENCY, SUPERVISOR.name: Role.SUPERVISOR}


def set_up(runtime: Runtime, folder: Path, staff: tuple[Actor, Actor]) -> None:
    """Register the organisations with accounts and keys, as far as that is not done; a start that died goes on here.

    Args:
        runtime: Of a process that may write.
        folder: Gets the keys and the custodians' agents.
        staff: Two people of the desk, who approve the keys (P6.2).
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for party in PARTIES:
        _register(runtime, party, staff[0])
        for role in party.keys:
            _enrol(runtime, signer(folder, party, role), party, role, staff)
    for party in CUSTODIANS:
        home = _home(folder, party)
        if not home.exists():
            key = signer(folder, party, "custodian")
            create_agent(
                home,
                name=party.name_zh,
                role="other",
                passphrase=None,
                key=key,
                jobs_per_minute=JOBS_PER_MINUTE,
            )


def _register(runtime: Runtime, party: Party, by: Actor) -> None:
    with runtime.ledger.read() as conn:
        known = organisation_by_code(conn, party.code)
    if known is None:
        names = {"code": party.code, "name_zh": party.name_zh, "name_en": party.name_en}
        parties.register_organisation(runtime.ledger, by, **names, roles=ORGANISATION_ROLES)
    try:
        roles = (_ROLES.get(party.name, Role.CUSTODIAN),)
        accounts.create_account(runtime.ledger, login=party.login, org_code=party.code, roles=roles, by=by)
    except RuleBroken as error:
        if error.code != "account.login_taken":
            raise


def signer(folder: Path, party: Party, role: str) -> Es256Signer:
    """Return the key of a party in a role, made if it is not there."""
    path = folder / f"{party.name}.{role}.key"
    if not path.exists():
        save_es256(path, Es256Signer.generate(), None)
    return load_es256(path, None)


def _enrol(runtime: Runtime, key: Es256Signer, party: Party, role: str, staff: tuple[Actor, Actor]) -> None:
    with runtime.ledger.read() as conn:
        known = {each.kid for each in keys_of(conn, party.code, role)}
    if key.kid in known:
        return
    account, challenge = accounts.issue_challenge(runtime.ledger, party.login)
    facts = {"account": account, "challenge": challenge.hex(), "org": party.code, "role": role}
    document = enrolment(key, **facts, created=runtime.clock.now_ms())
    accounts.enrol_key(runtime.ledger, staff, document)


def _home(folder: Path, party: Party) -> Path:
    return folder / party.name


def open_agents(runtime: Runtime, folder: Path) -> list[Agent]:
    """Open the custodians' agents, which trust exactly the organisations of practice."""
    trust = practising.trust(runtime, runtime.clock.now_ms())
    agents = []
    for party in CUSTODIANS:
        home = _home(folder, party)
        write_secret(home / TRUST_FILE, trust, replace=True)
        agents.append(open_agent(home, None, runtime.clock))
    return agents
