"""A committee through the real services: people, pool, draw, calls, seats. Small pool, custodians of this process.

``CommitteeMaker(market_like…).seated(reference)`` is what most tests want; every step can also be taken by itself.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from agents.custodian.shares import open_share
from tests.support.databases import Database
from trading.accounts import service as accounts
from trading.assembly import ERRANDS, REGISTRY
from trading.audit import errands
from trading.audit.ledger import Ledger
from trading.audit.runtime import Runtime
from trading.audit.service import platform_ms
from trading.crypto import shares as shamir
from trading.crypto.contact import ContactKey
from trading.crypto.keys import XWingPrivateKey, hpke_open, pop_info
from trading.crypto.signatures import Es256Signer, SignedDocument, sign_document
from trading.custody import queries as custody
from trading.custody.queries import WaitingJob
from trading.demo import cast
from trading.demo.cast import Organisation
from trading.demo.stage import Stage, enrol
from trading.experts import queries
from trading.experts.queries import Committee
from trading.experts.rules.checks import CheckCode, make_share_check
from trading.experts.rules.contributions import (
    Contribution,
    Escrow,
    make_contribution,
    parse_contribution,
    parse_escrow,
)
from trading.experts.rules.identity import Identity
from trading.experts.rules.policy import parse_policy, write_custodian_key
from trading.experts.rules.register import Act, Item
from trading.experts.rules.reveals import make_recovery, make_reveal
from trading.experts.rules.spec import parse_spec
from trading.experts.service import (
    calls,
    committees,
    continuing,
    contributions,
    custodians,
    job_bundles,
    naming,
    papers,
    recusing,
    register,
    seats,
    walking,
)
from trading.experts.service.committees import Windows
from trading.experts.service.preparing import seal_share
from trading.experts.service.walking import Contact
from trading.kernel.encoding import b64u, b64u_decode
from trading.kernel.errors import InvalidInput, RuleBroken
from trading.kernel.fields import type_of
from trading.kernel.roles import Actor, Role
from trading.messages.rules.mail import Mail
from trading.messages.service.delivery import deliver
from trading.parties import store as keys
from trading.parties.model import SigningKey

STRATUM = "A0501-C"
FAST = Windows(call_ms=1_800_000, commit_ms=60_000, reveal_ms=60_000)
_DAY_MS = 24 * 3_600_000


@dataclass
class Postbox:
    """A sender that keeps what it is given."""

    mails: dict[int, Mail] = field(default_factory=dict)

    def send(self, mail_id: int, mail: Mail) -> None:
        self.mails[mail_id] = mail

    def to(self, address: str) -> list[Mail]:
        return [mail for mail in self.mails.values() if mail.to == address]

    def codes(self, mark: str) -> list[tuple[str, str]]:
        """Return (address, code) of every mail whose text has the mark before its code."""
        marked = (mail for mail in self.mails.values() if mark in mail.text)
        return [(mail.to, mail.text.partition(mark)[2].split()[0]) for mail in marked]


@dataclass
class DrawCustodian:
    """One institution with its signing key and its share keys; what the agent does, without files and polling."""

    organisation: Organisation
    signer: Es256Signer
    silent: bool = False
    _seeds: dict[str, bytes] = field(default_factory=dict)
    _documents: dict[str, SignedDocument] = field(default_factory=dict)

    def answer(self, conn: Connection, job: WaitingJob, at: int) -> object:
        """Return the answer to a job, from documents that the platform stores."""
        match job.kind:
            case "draw-key":
                return self._key(job.lot, at).wire()
            case "draw-prove":
                info, ct = pop_info(self._documents[job.lot].doc), b64u_decode(job.request["ct"])
                challenge = hpke_open(self._seeds[job.lot], info, ct)
                return {
                    "challenge": challenge.hex(),
                    "custodian_key_sha256": job.request["custodian_key_sha256"],
                }
            case "draw-admit":
                return {"policy_sha256": job.request["policy_sha256"]}
            case "draw-check":
                return self._check(conn, job, at).wire()
            case "draw-recover":
                return {"recoveries": [each.wire() for each in self._recover(conn, job)]}
            case _:
                raise AssertionError(job.kind)

    def _key(self, draw: str, at: int) -> SignedDocument:
        if draw not in self._documents:
            self._seeds[draw] = secrets.token_bytes(32)
            body = {
                "created": at,
                "draw": draw,
                "hpke_pk": b64u(XWingPrivateKey.from_seed(self._seeds[draw]).public.raw),
                "name": self.organisation.name_zh,
                "role": self.organisation.seat,
                "suite": "SB1-XWING-AGE",
            }
            self._documents[draw] = sign_document(write_custodian_key(body), self.signer)
        return self._documents[draw]

    def _check(self, conn: Connection, job: WaitingJob, at: int) -> SignedDocument:
        codes = {}
        for digest in job.request["documents"]:
            code, _ = self._opened(conn, job, digest)
            codes[digest] = CheckCode(code)
        document = make_share_check(
            codes, custodian=job.custodian, draw=job.lot, spec_sha256=job.request["spec_sha256"], created=at
        )
        return sign_document(document, self.signer)

    def _opened(self, conn: Connection, job: WaitingJob, digest: str) -> tuple[str, bytes | None]:
        raw = queries.signed_document(conn, digest).doc
        document: Contribution | Escrow = parse_escrow(raw) if type_of(raw) == "ed1.escrow" else parse_contribution(raw)
        key = XWingPrivateKey.from_seed(self._seeds[job.lot])
        opened = open_share(key, document.shares[job.custodian - 1], document.context)
        return opened.code.value, opened.share

    def _recover(self, conn: Connection, job: WaitingJob) -> Iterable[SignedDocument]:
        row = queries.find_draw(conn, job.lot, int(job.request["attempt"]))
        for party in job.request["parties"]:
            digest, raw = custodians.listed_contributions(conn, row)[party]
            _, share = self._opened(conn, job, digest)
            assert share is not None
            recovery = make_recovery(parse_contribution(raw), share, job.request["sealed_h"], custodian=job.custodian)
            yield sign_document(recovery, self.signer)


@dataclass
class Contributor:
    """One party with its key and the random number it committed to."""

    signer: Es256Signer
    organisation: Organisation
    r: bytes = b""
    withholds: bool = False


@dataclass
class CommitteeMaker:
    """The people of draws over a runtime whose stage is set; the ledgers are of the roles of contact and worker."""

    runtime: Runtime
    stage: Stage
    contact_ledger: Ledger
    worker_ledger: Ledger
    postbox: Postbox = field(default_factory=Postbox)
    custodians: list[DrawCustodian] = field(default_factory=list)
    contributors: list[Contributor] = field(default_factory=list)
    people: dict[str, Identity] = field(default_factory=dict)
    jump: Callable[[int], object] | None = None

    def __post_init__(self) -> None:
        self.contact = Contact(
            ledger=self.contact_ledger,
            key=ContactKey.from_seed(secrets.token_bytes(32)),
            public_url="http://localhost",
        )

    @property
    def ledger(self) -> Ledger:
        return self.runtime.ledger

    def now(self) -> int:
        with self.ledger.read() as conn:
            return platform_ms(conn)

    def actor(self, login: str) -> Actor:
        return self.stage.actors[login]

    def set_up(self) -> None:
        """Register the contact's key, and the keys of centre and contributors."""
        register.register_contact_key(self.ledger, self.stage.desk, self.contact.key.public, cast.CENTRE.code)
        if "centre" not in self.stage.actors:
            self.account("centre", cast.CENTRE, Role.CENTRE)
        if ("centre", "centre") not in self.stage.signers:
            enrol(self.stage, cast.CENTRE, "centre", "centre")
        logins = {"agency": "drafter", "centre": "centre", "supervisor": "supervisor", "notary": "notary-custodian"}
        for organisation in (cast.AGENCY, cast.CENTRE, cast.SUPERVISOR, cast.NOTARY):
            if (organisation.key, "contributor") not in self.stage.signers:
                enrol(self.stage, organisation, "contributor", logins[organisation.key])
            signer = self.stage.signers[organisation.key, "contributor"]
            self.contributors.append(Contributor(signer=signer, organisation=organisation))
        for organisation in cast.CUSTODIANS:
            signer = self.stage.signers[organisation.key, "custodian"]
            self.custodians.append(DrawCustodian(organisation=organisation, signer=signer))

    def account(self, login: str, organisation: Organisation, *roles: Role) -> Actor:
        accounts.create_account(self.ledger, login=login, org_code=organisation.code, roles=roles)
        with self.ledger.upkeep() as conn:
            self.stage.actors[login] = accounts.actor_of(conn, login)
        return self.stage.actors[login]

    def change(self, act: Act, items: list[Item], identities: dict[str, Identity] | None = None) -> None:
        with self.ledger.read() as conn:
            draft = register.draft_change(conn, act, items, self.now())
        signed = sign_document(draft, self.stage.signers["supervisor", "supervisor"])
        register.change_register(self.ledger, self.actor("supervisor"), signed, identities)

    def admit(self, count: int = 24, *, stratum: str = STRATUM, prefix: str = "E", accounts_for: int = 0) -> None:
        """Admit experts with planted names; the first ``accounts_for`` get an account each."""
        items, identities = [], {}
        for number in range(count):
            expert_id = f"{prefix}{number:07d}"
            account = None
            if number < accounts_for:
                account = self.account(f"expert-{expert_id.lower()}", cast.CENTRE, Role.EXPERT).account
            items.append(Item(id=expert_id, strata=(stratum,), unit=f"UNIT{number:06d}"))
            identities[expert_id] = Identity(
                name=f"隐名专家{prefix}{number:04d}",
                mail=f"planted-{prefix.lower()}{number:04d}@example.org",
                phone="13800000000",
                employer=f"隐名单位{number:04d}",
                account=account,
            )
        self.change(Act.ADMITTED, items, identities)
        self.people |= identities

    def plan(self, reference: str, *, need: int = 4, representatives: int = 1, **fields: object) -> None:
        body = {
            "evaluation_at": self.now() + _DAY_MS,
            "large": False,
            "place_en": "Room 3",
            "place_zh": "三号评标室",
            "representatives": representatives,
            "strata": [{"id": STRATUM, "need": need}],
        }
        committees.plan_committee(self.ledger, self.actor("drafter"), reference, {**body, **fields})

    def begin(self, reference: str, windows: Windows = FAST) -> str:
        kids = tuple(each.signer.kid for each in self.custodians)
        return committees.begin_draw(
            self.ledger, self.actor("centre"), reference, windows=windows, holders=committees.Holders(custodians=kids)
        )

    def work(self) -> None:
        """Run due errands of draws, let the custodians answer, and the contact service step, until nothing moves."""
        before = None
        while before != (before := self._progress()):
            self._run_errands()
            self._answer_jobs()
            recusing.recuse_bidders(self.contact)
            walking.work(self.contact)
            continuing.freeze_attempts(self.contact)
            walking.link_accounts(self.contact)
            naming.disclose_members(self.contact)
            deliver(self.contact_ledger, self.contact.key, self.postbox)

    def _progress(self) -> int:
        with self.ledger.read() as conn:
            return int(conn.exec_driver_sql("SELECT count(*) FROM log.audit_entry").scalar_one()) + int(
                conn.exec_driver_sql("SELECT count(*) FROM desk.draw_paper").scalar_one()
            )

    def _run_errands(self) -> None:
        with self.ledger.read() as conn:
            found = [each for each in errands.due(conn, platform_ms(conn)) if each.name.startswith("experts.")]
        for each in found:
            errands.run(replace(self.runtime, ledger=self.worker_ledger), ERRANDS, each.id)

    def _answer_jobs(self) -> None:
        for custodian in self.custodians:
            if custodian.silent:
                continue
            with self.ledger.read() as conn:
                key = custody_key(conn, custodian.signer.kid)
                waiting = custody.waiting(conn, custodian.signer.kid, 0)
                jobs = [j for j in waiting if j.kind.startswith("draw-") and not job_bundles.is_pointless(conn, j)]
            for job in jobs:
                with self.ledger.read() as conn:
                    answer = custodian.answer(conn, job, platform_ms(conn))
                custodians.answer(self.ledger, key, job, {"answer": answer, "job": job.id})

    def until(self, condition: Callable[[], bool], *, seconds: float = 20.0) -> None:
        """Work until ``condition`` holds; only the sequencer and its witnesses are waited for."""
        deadline = time.monotonic() + seconds
        while True:
            self.work()
            if condition():
                return
            assert time.monotonic() < deadline, "the draw does not move on"
            self._soon()
            time.sleep(0.02)

    def _soon(self) -> None:
        """Make errands that wait for the log due at once, as the clock would a second later."""
        if self.jump is not None:
            # Something of others is due first, or the log is not witnessed yet; a slow machine got there by itself.
            with suppress(RuleBroken, InvalidInput):
                self.jump(self.now() + 1_000)

    def row(self, draw: str) -> queries.DrawRow:
        with self.ledger.read() as conn:
            return queries.find_draw(conn, draw)

    def sign(self, draw: str, *typs: str) -> int:
        """Let centre and supervisor sign what waits for them; return how many papers were completed."""
        with self.ledger.read() as conn:
            waiting = papers.pending(conn, draw)
        for paper, needs in waiting:
            if typs and paper.typ not in typs:
                continue
            signers = [self.stage.signers[role, role] for role in needs]
            papers.collect(self.ledger, self.actor("centre"), draw, sign_document(paper.doc, *signers))
        return len(waiting)

    def specified(self, reference: str, windows: Windows = FAST) -> str:
        """Begin a draw and bring it to its signed spec with both escrows."""
        draw = self.begin(reference, windows)
        self.until(lambda: self._offers(draw, "ed1.policy"))
        self.sign(draw)
        self.until(lambda: self._offers(draw, "ed1.spec"))
        self.sign(draw, "ed1.spec")
        self.sign(draw, "ed1.escrow")
        return draw

    def _offers(self, draw: str, typ: str) -> bool:
        with self.ledger.read() as conn:
            return any(paper.typ == typ for paper, _ in papers.pending(conn, draw))

    def commit(self, draw: str) -> None:
        """Let every contributor commit."""
        row = self.row(draw)
        with self.ledger.read() as conn:
            spec = parse_spec(queries.signed_document(conn, row.spec_sha256 or "").doc)
            policy = parse_policy(queries.signed_document(conn, row.policy_sha256).doc)
        for each in self.contributors:
            party = next(item for item in spec.parties if item.kid == each.signer.kid)
            each.r = secrets.token_bytes(32)
            document = make_contribution(spec, policy, party.id, each.r, deal=shamir.deal, seal=seal_share)
            signed = sign_document(document, each.signer)
            contributions.contribute(self.ledger, self.key_of(each), draw, row.attempt, signed)

    def key_of(self, contributor: Contributor) -> SigningKey:
        with self.ledger.read() as conn:
            return custody_key(conn, contributor.signer.kid)

    def sealed(self, reference: str, windows: Windows = FAST) -> str:
        draw = self.specified(reference, windows)
        self.commit(draw)
        self.until(lambda: self.row(draw).state == "sealed")
        return draw

    def reveal(self, draw: str) -> None:
        """Let every contributor who does not withhold reveal."""
        row = self.row(draw)
        with self.ledger.read() as conn:
            listed = custodians.listed_contributions(conn, row)
        for each in self.contributors:
            if each.withholds:
                continue
            for party, (_, raw) in listed.items():
                contribution = parse_contribution(raw)
                if party == self.party_of(draw, each):
                    signed = sign_document(make_reveal(contribution, each.r, row.sealed_h or ""), each.signer)
                    contributions.reveal(self.ledger, self.key_of(each), draw, row.attempt, signed)

    def party_of(self, draw: str, contributor: Contributor) -> str:
        row = self.row(draw)
        with self.ledger.read() as conn:
            spec = parse_spec(queries.signed_document(conn, row.spec_sha256 or "").doc)
        return next(item.id for item in spec.parties if item.kid == contributor.signer.kid)

    def seeded(self, reference: str, windows: Windows = FAST) -> str:
        draw = self.sealed(reference, windows)
        self.reveal(draw)
        self.until(lambda: self.row(draw).state == "seeded")
        return draw

    def open_calls(self) -> list[tuple[str, str]]:
        """Return (address, code) of every call that was mailed and not answered."""
        found = []
        for address, code in self.postbox.codes("/draws/call/"):
            with self.ledger.upkeep() as conn:
                call = calls.find(conn, code, platform_ms(conn))
            if call is not None and call.answered is None and not call.over:
                found.append((address, code))
        return found

    def accept_all(self, draw: str, declining: str = "") -> None:
        """Let everybody accept until the walk is finished and its result is offered.

        Whoever has an address that begins with ``declining`` declines.
        """

        def offered() -> bool:
            for address, code in self.open_calls():
                if declining and address.startswith(declining):
                    calls.answer(self.ledger, code, calls.DECLINE, "away")
                else:
                    calls.answer(self.ledger, code, calls.ACCEPT)
            return self._offers(draw, "ed1.result")

        self.until(offered)

    def drawn(self, reference: str, windows: Windows = FAST, declining: str = "") -> str:
        draw = self.seeded(reference, windows)
        self.accept_all(draw, declining)
        self.sign(draw, "ed1.result")
        self.work()
        return draw

    def seat_codes(self) -> dict[str, str]:
        """Return the seat code by address."""
        return dict(self.postbox.codes("席位码："))

    def account_of(self, address: str) -> Actor:
        """Return the account of the expert with this address; it must have been admitted with one."""
        identity = next(each for each in self.people.values() if each.mail == address)
        return next(actor for actor in self.stage.actors.values() if actor.account == identity.account)

    def seated(self, reference: str, *, need: int = 4, pool: int = 12) -> Committee:
        """Make a whole committee that is present and, if the bidders are known, has declared no conflict; return it.

        Everybody of the small pool has an account. The buyer's representative is the account ``representative``.
        """
        if not self.contributors:
            self.set_up()
        if not self.people:
            self.admit(pool, accounts_for=pool)
        self.plan(reference, need=need)
        self.drawn(reference)
        for address, code in self.seat_codes().items():
            who = self.account_of(address)
            seats.sign_in(self.ledger, who, code, promised=True)
            if self.bidders_are_known(reference):
                seats.declare(self.ledger, who, reference, seats.NONE)
        self.representative(reference)
        with self.ledger.read() as conn:
            found = queries.committee_of(conn, self.procedure_id(reference))
        assert found is not None
        return found

    def bidders_are_known(self, reference: str) -> bool:
        with self.ledger.read() as conn:
            return queries.bidders_told(conn, self.procedure_id(reference)) is not None

    def representative(self, reference: str) -> Actor:
        """Appoint and sign in the buyer's representative."""
        who = self.stage.actors.get("representative") or self.account("representative", cast.BUYER, Role.AGENCY)
        identity = Identity(
            name="采购人代表甲", mail="buyer@example.org", phone="", employer=cast.BUYER.name_zh, account=None
        )
        committees.appoint_representative(self.ledger, self.actor("drafter"), reference, who, identity)
        seats.sign_in_representative(self.ledger, who, reference, promised=True)
        return who

    def procedure_id(self, reference: str) -> int:
        with self.ledger.read() as conn:
            found: int = conn.exec_driver_sql(
                "SELECT id FROM record.procedure WHERE reference = %s", (reference,)
            ).scalar_one()
        return found


def custody_key(conn: Connection, kid: str) -> SigningKey:
    found = keys.key_by_kid(conn, kid)
    assert found is not None
    return found


def worker_ledger(database: Database) -> Ledger:
    """Return the ledger of a worker's own role, which may ask whom his file keeps out of a draw."""
    return Ledger(database.engine("trading_worker"), registry=REGISTRY)


def contact_ledger(database: Database) -> Ledger:
    """Return the ledger of the contact service's own role."""
    return Ledger(database.engine("trading_contact"), registry=REGISTRY)
