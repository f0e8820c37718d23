"""Two accounts of every role: an insider of the organisations that one tender is about, and an outsider of others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from flask.testing import FlaskClient

from tests.support.market import Bidder, Market
from tests.support.people import signed_in
from trading.accounts import service as accounts
from trading.accounts.service import credentials, requests
from trading.accounts.service.credentials import SetupKind
from trading.accounts.service.sessions import sessions_of
from trading.accounts.service.tokens import tokens_of
from trading.agency import service as agency
from trading.audit.ledger import Ledger
from trading.bids.uploads import Uploads
from trading.demo import cast
from trading.kernel.roles import Role
from trading.web.permissions import PEOPLE

SCOPES: Final = ("read:own", "write:bids", "write:openings")
INSIDE: Final = {
    Role.BIDDER: cast.BIDDERS[0].code,
    Role.AGENCY: cast.AGENCY.code,
    Role.REVIEWER: cast.AGENCY.code,
    Role.SUPERVISOR: cast.SUPERVISOR.code,
    Role.AUDITOR: cast.SUPERVISOR.code,
    Role.AUTHORITY: cast.SUPERVISOR.code,
    Role.CUSTODIAN: cast.NOTARY.code,
    Role.CENTRE: cast.CENTRE.code,
    Role.DESK: cast.CENTRE.code,
    Role.ADMIN: cast.CENTRE.code,
    Role.EXPERT: "EXPERT-INSIDE",
}
#: Key role of the insider's organisation that stands in the market already.
_KEYS: Final = {
    Role.BIDDER: (cast.BIDDERS[0].key, "bidder"),
    Role.AGENCY: ("agency", "agency"),
    Role.REVIEWER: ("agency", "agency"),
    Role.SUPERVISOR: ("supervisor", "supervisor"),
    Role.AUTHORITY: ("supervisor", "supervisor"),
    Role.CUSTODIAN: ("notary", "custodian"),
    Role.CENTRE: ("centre", "station-operator"),
    Role.DESK: ("centre", "station-operator"),
}


@dataclass
class Insiders:
    """The people of one tender that is open, and as many who have nothing to do with it."""

    market: Market
    accounts: dict[tuple[str, Role], str] = field(default_factory=dict)
    tokens: dict[tuple[str, Role], str] = field(default_factory=dict)
    spare: str = ""
    bid: str = ""
    published: str = ""
    _readers: dict[tuple[str, Role], FlaskClient] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for role in PEOPLE:
            self._join("in", role, INSIDE[role])
            self._join("out", role, f"OUTSIDE-{role.value}")
        create = accounts.create_account
        self.spare = create(self.ledger, login="spare", org_code="OTHER", roles=(Role.CUSTODIAN,), jurisdiction="CN")
        self.bid = Bidder(self.market, cast.BIDDERS[0]).start()
        with self.ledger.read() as conn:
            query = "SELECT h FROM log.audit_entry WHERE kind = 'tender.published'"
            self.published = bytes(conn.exec_driver_sql(query).scalar_one()).hex()

    @property
    def ledger(self) -> Ledger:
        return self.market.runtime.ledger

    def _join(self, side: str, role: Role, org: str) -> None:
        login = f"{side}-{role.value}"
        account = accounts.create_account(self.ledger, login=login, org_code=org, roles=(role,))
        self.accounts[side, role] = account
        self.tokens[side, role] = accounts.issue_token(self.ledger, login, SCOPES)

    def client(self, side: str, role: Role, *, api: bool) -> FlaskClient:
        """Return a client as this person uses it: a session for pages, a token for the API."""
        client = self.market.app.test_client()
        if api:
            client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {self.tokens[side, role]}"
            return client
        return signed_in(client, f"{side}-{role.value}")

    def reader(self, side: str, role: Role, *, fresh: bool = False) -> FlaskClient:
        """Return a client with the session in which this person reads pages; it may have been ended meanwhile."""
        if fresh or (side, role) not in self._readers:
            self._readers[side, role] = self.client(side, role, api=False)
        return self._readers[side, role]

    def session(self, role: Role) -> str:
        """Return a session of the insider that nobody uses."""
        account = self.accounts["in", role]
        accounts.open_session(self.ledger, account, agent="to be ended")
        return next(each.id for each in sessions_of(self.ledger, account) if each.agent == "to be ended")

    def token(self, role: Role) -> str:
        """Return the id of a fresh token of the insider."""
        accounts.issue_token(self.ledger, f"in-{role.value}", ("read:own",), name="to be ended")
        own = tokens_of(self.ledger, self.accounts["in", role])
        return next(each.id for each in own if each.name == "to be ended")

    def key(self, role: Role) -> str:
        """Return the kid of an active key of the insider's organisation; an unknown one for roles without keys."""
        place = _KEYS.get(role)
        return "0" * 64 if place is None else self.market.stage.signers[place].kid

    def draft(self) -> str:
        """Return a fresh draft of the insider's agency."""
        with self.ledger.upkeep() as conn:
            drafter = accounts.actor_of(conn, "in-agency")
        return agency.start(self.ledger, drafter)

    def upload(self) -> str:
        """Return an upload of the insider's bid that is on its way."""
        with self.ledger.upkeep() as conn:
            bidder = accounts.actor_of(conn, "in-bidder")
        uploads = Uploads(ledger=self.ledger, objects=self.market.runtime.objects, actor=bidder, bid=self.bid)
        return uploads.begin("main", "1" * 64, 1).id

    def request(self) -> str:
        """Return a request that waits for the desk."""
        body = {
            "code": cast.BIDDERS[1].code,
            "name_zh": "x",
            "name_en": "x",
            "role": "bidder",
            "login": "new.one",
            "name": "x",
            "mail": "x@example.com",
        }
        with self.ledger.upkeep() as conn:
            conn.exec_driver_sql("DELETE FROM desk.attempts")
        return requests.ask_organisation(self.ledger, body, address="192.0.2.1")

    def link(self) -> str:
        """Return a living set-up link."""
        with self.ledger.upkeep() as conn:
            return credentials.issue_setup(conn, self.spare, SetupKind.FACTORS)
