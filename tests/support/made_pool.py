"""The people of the pool through the real services: a regulator with a key, a keeper, applicants and their employer."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace

from agents.keys import enrolment
from trading.accounts import service as accounts
from trading.audit.ledger import Ledger
from trading.audit.service import platform_ms
from trading.crypto.contact import ContactKey
from trading.crypto.signatures import Es256Signer, SignedDocument, sign_document
from trading.experts.service import register
from trading.kernel.credit_code import check_character
from trading.kernel.roles import Actor, Role
from trading.pool.rules.dossier import Dossier
from trading.pool.service import applications, decisions


def code(number: int) -> str:
    """Return a unified social credit code that fits its check character."""
    body = f"12110108MA0P{number:05d}"
    return body + check_character(body)


def identity_no(number: int, birth: str = "19700101") -> str:
    """Return an identity number that fits its check character."""
    body = f"110101{birth}{number % 1000:03d}"
    total = sum(int(digit) * 2 ** (17 - place) for place, digit in enumerate(body))
    return body + "10X98765432"[total % 11]


EMPLOYER, BUREAU, CENTRE = code(1), code(2), code(3)
SAMPLE = Dossier(
    account=None,
    available=True,
    birth="1970-01-01",
    employer=EMPLOYER,
    employer_name="江北省设计院",
    employers=(EMPLOYER,),
    identity_no=identity_no(1),
    mail="lin@example.org",
    name="林一鸣",
    phone="13800000000",
    region="110101",
    relatives=(),
    specialties=("A0201", "C1601"),
    title=3,
    title_name="高级工程师",
    trained=None,
    years=12,
)


@dataclass
class PoolMaker:
    """The people of a pool over a ledger of the whole registry."""

    ledger: Ledger
    actors: dict[str, Actor] = field(default_factory=dict)
    signer: Es256Signer = field(default_factory=Es256Signer.generate)

    def set_up(self) -> PoolMaker:
        for login, organisation, role in (
            ("desk1", CENTRE, Role.DESK),
            ("desk2", CENTRE, Role.DESK),
            ("keeper", CENTRE, Role.CENTRE),
            ("bureau", BUREAU, Role.AUTHORITY),
            ("lin", "PRIVATE-1", Role.EXPERT),
            ("zhou", "PRIVATE-2", Role.EXPERT),
            ("unit", EMPLOYER, Role.BIDDER),
        ):
            self.account(login, organisation, role)
        staff = (self.actors["desk1"], self.actors["desk2"])
        contact = ContactKey.from_seed(secrets.token_bytes(32))
        register.register_contact_key(self.ledger, staff, contact.public, CENTRE)
        account, challenge = accounts.issue_challenge(self.ledger, "bureau")
        document = enrolment(
            self.signer,
            account=account,
            challenge=challenge.hex(),
            org=BUREAU,
            role="supervisor",
            created=self.now(),
        )
        accounts.enrol_key(self.ledger, staff, document)
        return self

    def account(self, login: str, organisation: str, role: Role) -> Actor:
        accounts.create_account(self.ledger, login=login, org_code=organisation, roles=(role,))
        with self.ledger.upkeep() as conn:
            self.actors[login] = accounts.actor_of(conn, login)
        return self.actors[login]

    def now(self) -> int:
        with self.ledger.read() as conn:
            return platform_ms(conn)

    def dossier(self, number: int = 1, **changes: object) -> Dossier:
        return replace(SAMPLE, identity_no=identity_no(number), **changes)  # type: ignore[arg-type]

    def apply(self, number: int = 1, regime: str = "GP", **changes: object) -> str:
        """Apply as the employer, so that the application waits for the regulator."""
        return applications.apply(self.ledger, self.actors["unit"], regime, self.dossier(number, **changes))

    def sign(self, doc: bytes) -> SignedDocument:
        return sign_document(doc, self.signer)

    def admit(self, *numbers: str, levels: tuple[str, ...] = ("C",)) -> None:
        doc = decisions.draft_admission(self.ledger, self.actors["bureau"], numbers, levels)
        decisions.qualify(self.ledger, self.actors["bureau"], self.sign(doc))

    def order(self, number: str, act: str, reason: str = "群众举报，先行核查") -> None:
        doc = decisions.draft_order(self.ledger, self.actors["bureau"], number, act)
        decisions.order(self.ledger, self.actors["bureau"], self.sign(doc), reason)
