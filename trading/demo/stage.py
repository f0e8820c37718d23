"""Setting the stage: organisations, accounts, keys, calendar, trust file. Everything a real platform does at its desk.

Each organisation has a folder of its own under ``people/``; its keys are made by the program that its people would use.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from agents.keys import enrolment, public_file, public_half
from trading.accounts import service as accounts
from trading.audit.runtime import Runtime
from trading.crypto.authority import roots_in
from trading.crypto.keyfiles import save_es256
from trading.crypto.signatures import Es256Signer, SignedDocument, sign_document
from trading.demo import cast
from trading.demo.cast import Organisation
from trading.kernel.canonical import dumps
from trading.kernel.encoding import b64u
from trading.kernel.roles import Actor, Role
from trading.parties import service as parties
from trading.procedures import service as procedures
from trading.rulebook.calendar_days import days_of


@dataclass(slots=True, kw_only=True)
class Stage:
    """What the play needs to find: folders, actors by login, signers by (organisation, role), tokens by login."""

    folder: Path
    runtime: Runtime
    actors: dict[str, Actor] = field(default_factory=dict)
    signers: dict[tuple[str, str], Es256Signer] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def home(self, organisation: Organisation) -> Path:
        """Return the folder of an organisation."""
        return self.folder / organisation.key

    def key_file(self, organisation: Organisation, role: str) -> Path:
        """Return the key file of an organisation for one role."""
        return self.home(organisation) / f"{role}.key"

    @property
    def desk(self) -> tuple[Actor, Actor]:
        """Return the two people of the service desk."""
        return self.actors["desk1"], self.actors["desk2"]

    @property
    def authorities(self) -> Path:
        """Return the folder of the demonstration's time-stamping authorities, which a platform makes (P13)."""
        return self.folder.parent / "authorities"

    @property
    def trust_file(self) -> Path:
        """Return the trust file that the supervisor hands out, in wire form."""
        return self.folder / "trust.wire.json"


_CONSOLE = Actor(account="system:desk", roles=frozenset({Role.DESK}))
_PEOPLE = (
    ("desk1", cast.CENTRE, (Role.DESK,)),
    ("desk2", cast.CENTRE, (Role.DESK,)),
    ("drafter", cast.AGENCY, (Role.AGENCY,)),
    ("reviewer", cast.AGENCY, (Role.REVIEWER,)),
    ("supervisor", cast.SUPERVISOR, (Role.SUPERVISOR,)),
    ("auditor", cast.SUPERVISOR, (Role.AUDITOR,)),
    ("centre", cast.CENTRE, (Role.CENTRE,)),
    ("representative", cast.BUYER, (Role.AGENCY,)),
    ("admin", cast.CENTRE, (Role.ADMIN,)),
)
_TOKENS = (("drafter", ("write:openings", "read:own")), ("supervisor", ("write:openings", "read:own")))


def set_stage(runtime: Runtime, folder: Path, year: int, bidders: tuple[Organisation, ...] = cast.BIDDERS) -> Stage:
    """Register everybody, enrol every key at the desk, enter the calendar; return where everything is."""
    stage = Stage(folder=folder, runtime=runtime)
    for organisation in (cast.BUYER, *cast.CUSTODIANS, *bidders):
        stage.home(organisation).mkdir(parents=True, exist_ok=True, mode=0o700)
        parties.register_organisation(
            runtime.ledger,
            _CONSOLE,
            code=organisation.code,
            name_zh=organisation.name_zh,
            name_en=organisation.name_en,
            roles=organisation.roles,
        )
    for login, organisation, roles in _PEOPLE:
        _account(stage, login, organisation, roles)
    for organisation in bidders:
        _account(stage, organisation.key, organisation, (Role.BIDDER,))
        enrol(stage, organisation, "bidder", organisation.key)
        stage.tokens[organisation.key] = accounts.issue_token(
            runtime.ledger, organisation.key, ("write:bids", "read:own")
        )
    enrol(stage, cast.AGENCY, "agency", "drafter")
    enrol(stage, cast.SUPERVISOR, "supervisor", "supervisor")
    enrol(stage, cast.CENTRE, "station-operator", "desk1")
    enrol(stage, cast.CENTRE, "centre", "centre")
    for organisation, login in ((cast.CENTRE, "centre"), (cast.AGENCY, "drafter"), (cast.SUPERVISOR, "supervisor")):
        enrol(stage, organisation, "contributor", login)
    for organisation in cast.CUSTODIANS:
        _account(stage, f"{organisation.key}-custodian", organisation, (Role.CUSTODIAN,))
        enrol(stage, organisation, "custodian", f"{organisation.key}-custodian")
    for login, scopes in _TOKENS:
        stage.tokens[login] = accounts.issue_token(runtime.ledger, login, scopes)
    days = days_of(year)
    procedures.set_calendar(
        runtime.ledger, stage.actors["desk1"], [(day.day, day.is_workday, day.name) for day in days], days[0].source
    )
    return stage


def _account(stage: Stage, login: str, organisation: Organisation, roles: tuple[Role, ...]) -> None:
    accounts.create_account(stage.runtime.ledger, login=login, org_code=organisation.code, roles=roles)
    with stage.runtime.ledger.upkeep() as conn:
        stage.actors[login] = accounts.actor_of(conn, login)


def enrol(stage: Stage, organisation: Organisation, role: str, login: str) -> Es256Signer:
    """Make a key, prove its possession and have two people of the desk register it (P6.2)."""
    signer = Es256Signer.generate()
    path = stage.key_file(organisation, role)
    save_es256(path, signer, None)
    public_file(path).write_bytes(dumps(public_half(signer, role)))
    account, challenge = accounts.issue_challenge(stage.runtime.ledger, login)
    document = enrolment(
        signer,
        account=account,
        challenge=challenge.hex(),
        org=organisation.code,
        role=role,
        created=stage.runtime.clock.now_ms(),
    )
    accounts.enrol_key(stage.runtime.ledger, stage.desk, document)
    stage.signers[(organisation.key, role)] = signer
    return signer


def trust_document(stage: Stage, release_sha256: str) -> SignedDocument:
    """Return the trust file (P8), signed by the supervisor: whom a reader of this demonstration believes."""
    rows = [
        {
            "alg": "ES256",
            "key": b64u(signer.spki),
            "kid": signer.kid,
            "name": _by_key(key).name_zh,
            "role": role,
        }
        for (key, role), signer in stage.signers.items()
        if role != "bidder"
    ]
    document = {
        "institutions": sorted(rows, key=lambda row: row["kid"]),
        "issued": stage.runtime.clock.now_ms(),
        "log_policy": stage.runtime.witness_policy,
        "origin": stage.runtime.origin,
        "release_sha256": [release_sha256],
        "seq": 1,
        "supersedes": None,
        "tsa": [{"cert": b64u(cert), "name": name} for name, cert in roots_in(stage.authorities).items()],
        "typ": "mb.trust",
        "v": 1,
        "x509_roots": [],
    }
    return sign_document(dumps(document), stage.signers[("supervisor", "supervisor")])


def _by_key(key: str) -> Organisation:
    return next(item for item in (*cast.CUSTODIANS, *cast.BIDDERS) if item.key == key)
