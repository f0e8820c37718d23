"""The smallest real market: organisations, keys, calendar, published lots and bidders, all through the use cases.

Nothing here is a short cut: custodians open their challenges, two people publish, the deadline is lawful. The database
is a demonstration, whose time is moved on, because the law leaves bidders weeks between notice and deadline.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from agents.keys import enrolment
from agents.sealing import SealedBid, seal_bid
from tests.support.databases import Database
from tests.support.logs import LogWorld
from trading.accounts import service as accounts
from trading.assembly import REGISTRY
from trading.audit.ledger import Ledger
from trading.audit.runtime import Runtime
from trading.audit.service import platform_ms
from trading.bids import service as bids
from trading.bids.rules.context import BidContext
from trading.bids.rules.manifest import FileSource, build_manifest, write_main
from trading.bids.rules.policy import CUSTODIAN_KEY, Policy, parse_policy
from trading.bids.rules.price import build_price, pad_price
from trading.bids.rules.trust import TRUST
from trading.crypto.keys import XWingPrivateKey, pop_info
from trading.crypto.signatures import Es256Signer, SignedDocument, sign_document
from trading.custody import queries as custody_queries
from trading.custody import service as custody
from trading.demo import cast
from trading.demo.cast import Organisation
from trading.kernel.calendar import CHINA, WorkCalendar
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.clock import ShiftedClock
from trading.kernel.credit_code import check_character
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u, b64u_decode
from trading.kernel.roles import Actor, Role
from trading.notices import service as notices
from trading.notices.drafting import LotDraft, TenderDraft, extension_draft, tender_draft
from trading.notices.service import LotDocuments
from trading.parties import service as parties
from trading.procedures import queries as procedure_queries
from trading.procedures import service as procedures
from trading.release.bootstrap import DEMO_LOCK
from trading.rulebook.calendar_days import assumed_days, days_of, published_years
from trading.storage.durable import replace_file
from trading.storage.objects import ObjectStore

DAY_MS = 86_400_000
LAWFUL_MS = 40 * DAY_MS  # more than twenty days and every holiday that can follow them
WINDOW_MS = 60_000
_CONSOLE = Actor(account="system:desk", roles=frozenset({Role.DESK}))
_WINDOWS = ("factor_window_ms", "objection_ms", "release_window_ms", "rescue_ms", "share_check_ms")


@dataclass(frozen=True, kw_only=True)
class DemoTime:
    """Time of a throw-away demonstration: the database's shift, and the file that witnesses and sequencer read."""

    database: Database
    shift_file: Path

    @property
    def clock(self) -> ShiftedClock:
        return ShiftedClock(self.shift_file)

    def now_ms(self) -> int:
        with self.database.connect() as superuser:
            return platform_ms(superuser)

    def move_to(self, instant_ms: int) -> None:
        """Move on so that it is now ``instant_ms``; acts that are under way end first."""
        with self.database.connect() as superuser:
            superuser.exec_driver_sql("SELECT pg_advisory_lock(%s)", (DEMO_LOCK,))
            query = (
                "UPDATE log.demo_shift SET ms = %s - floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
                " RETURNING ms"
            )
            shift = superuser.exec_driver_sql(query, (instant_ms,)).scalar_one()
            replace_file(self.shift_file, str(shift).encode(), durable=False)  # readers never see half of it
            superuser.exec_driver_sql("SELECT pg_advisory_unlock(%s)", (DEMO_LOCK,))


@dataclass(frozen=True, kw_only=True)
class Party:
    """One organisation that acts: its account and the key it signs with."""

    code: str
    actor: Actor
    signer: Es256Signer


@dataclass(frozen=True, kw_only=True)
class OpenLot:
    """One published lot that takes bids until ``close`` (ms)."""

    procedure_id: int
    tender: str
    lot: str
    stage: str
    close: int
    policy: Policy

    @property
    def place(self) -> tuple[str, str, str]:
        return self.tender, self.lot, self.stage

    @property
    def arg(self) -> dict[str, str]:
        """What the errand ``bids.close`` is told."""
        return {"tender": self.tender, "lot": self.lot, "stage": self.stage}


def runtime_of(
    database: Database, world: LogWorld, objects: ObjectStore, *, threads: int = 4, acquire_s: float = 4.0
) -> Runtime:
    """Return the runtime of a process with so many threads, over the log of ``world``."""
    writer = database.engine(pool_size=threads, acquire_s=acquire_s)
    reader = database.engine("trading_reader", pool_size=threads, acquire_s=acquire_s)
    return Runtime(
        ledger=Ledger(writer, registry=REGISTRY, reader=reader),
        objects=objects,
        log_dir=world.log_dir / "tiles",
        origin=database.origin,
        demo=database.demo,
        clock=world.clock,
        witness_policy=world.policy_text,
    )


def bidder_code(number: int) -> str:
    """Return a well-formed code that nobody has."""
    body = f"91110108MA{number:07d}"
    return body + check_character(body)


@dataclass(kw_only=True)
class Market:
    """Everybody who is needed until the deadline. Make it with ``open_market``."""

    runtime: Runtime
    drafter: Party
    reviewer: Actor
    staff: tuple[Actor, Actor]
    custodians: list[tuple[Organisation, Party]] = field(default_factory=list)
    bidders: list[Party] = field(default_factory=list)
    _asked: dict[str, int] = field(default_factory=dict)  # the newest job of each custodian that was answered here

    @property
    def ledger(self) -> Ledger:
        return self.runtime.ledger

    def now_ms(self) -> int:
        with self.ledger.read() as conn:
            return platform_ms(conn)

    def publish(self, closes: Sequence[int] = (), **changes: Any) -> list[OpenLot]:  # noqa: ANN401 - fields of the specification
        """Publish one procedure with a lot for each deadline (ms, whole seconds; by default one in 40 days)."""
        closes = closes or (default_close(self.now_ms()),)
        reference = procedures.draft(self.ledger, self.drafter.actor, specification(closes, **changes))
        procedures.submit_for_review(self.ledger, self.drafter.actor, reference)
        with self.ledger.read() as conn:
            row = procedure_queries.find(conn, reference)
            lots = procedure_queries.lots_of(conn, row.id)
        for lot in lots:
            for organisation, custodian in self.custodians:
                self._give_share_key(organisation, custodian, row.id, (reference, lot.number, lot.stage))
        return self._sign_and_publish(reference, row.id, closes)

    def _give_share_key(
        self, organisation: Organisation, custodian: Party, procedure_id: int, place: tuple[str, str, str]
    ) -> None:
        """A custodian's key with its proof of possession (SB1 S3.2)."""
        key = XWingPrivateKey.from_seed(secrets.token_bytes(32))
        tender, lot, stage = place
        body = {
            "created": self.runtime.clock.now_ms(),
            "hpke_pk": b64u(key.public.raw),
            "lot": lot,
            "name": organisation.name_zh,
            "role": organisation.seat,
            "stage": stage,
            "suite": "SB1-XWING-AGE",
            "tender": tender,
        }
        signed = sign_document(CUSTODIAN_KEY.write(body), custodian.signer)
        custody.register_share_key(self.ledger, custodian.actor, procedure_id, place, signed)
        with self.ledger.read() as conn:
            after = self._asked.get(custodian.signer.kid, 0)
            jobs = custody_queries.waiting(conn, custodian.signer.kid, after, limit=10_000)
        asked = next(job for job in jobs if job.request.get("custodian_key_sha256") == signed.sha256)
        self._asked[custodian.signer.kid], request = asked.cursor, asked.request
        opened = key.open(pop_info(signed.doc), b64u_decode(request["ct"]))
        custody.prove_possession(self.ledger, custodian.actor, signed.sha256, opened)

    def _sign_and_publish(self, reference: str, procedure_id: int, closes: Sequence[int]) -> list[OpenLot]:
        at = self.now_ms()
        with self.ledger.read() as conn:
            draft = tender_draft(conn, reference, at=at, demo=self.runtime.demo, intake=self.runtime.named_intake)
        draft = with_deadlines(draft, closes)
        documents = {
            (lot.lot, lot.stage): LotDocuments(policy=self._sign(lot.policy), schedule=self._sign(lot.schedule))
            for lot in draft.lots
        }
        notices.publish_tender(
            self.ledger, self.reviewer, reference, self._sign(draft.notice), documents, demo=self.runtime.demo
        )
        return [
            OpenLot(
                procedure_id=procedure_id,
                tender=reference,
                lot=lot.lot,
                stage=lot.stage,
                close=loads_object(lot.schedule)["close"],
                policy=parse_policy(lot.policy),
            )
            for lot in draft.lots
        ]

    def extension(self, tender: str, later_ms: int) -> Callable[[], int]:
        """Draft and sign a deadline that is ``later_ms`` from now; return the act that publishes and returns it (ms).

        Raises:
            RuleBroken: From the act: what forbids it by then.
        """
        now, texts = self.now_ms(), {"text_en": "Moved.", "text_zh": "延期。"}
        later = (now + later_ms) // 1000 * 1000
        with self.ledger.read() as conn:
            draft = extension_draft(conn, tender, at=now, new_close=later, texts=texts)
        schedules = {place: self._sign(raw) for place, raw in draft.schedules.items()}
        notice = self._sign(draft.notice)

        def publish() -> int:
            notices.extend(self.ledger, self.reviewer, tender, notice, schedules, cause=None, affects_bids=False)
            return later

        return publish

    def _sign(self, document: bytes) -> SignedDocument:
        return sign_document(document, self.drafter.signer)

    def enrol_supervisor(self, signer: Es256Signer) -> None:
        """Register a key of the supervisor's that signs its intake's lists (SB1 S7.6)."""
        _account(self.ledger, "supervisor-intake", cast.SUPERVISOR.code, Role.SUPERVISOR)
        _enrolled(self.runtime, self.staff, cast.SUPERVISOR.code, "supervisor", "supervisor-intake", signer)

    def trust_file(self, supervisor: Es256Signer | None = None) -> bytes:
        """Return the trust file that a bidder has from the supervisor (P8): the custodians' and the agency's keys."""
        parties = [(each.name_zh, "custodian", party) for each, party in self.custodians]
        rows = [
            {
                "alg": "ES256",
                "key": b64u(party.signer.spki),
                "kid": party.signer.kid,
                "name": name,
                "role": role,
            }
            for name, role, party in [*parties, (cast.AGENCY.name_zh, "agency", self.drafter)]
        ]
        if supervisor is not None:
            own = {"alg": "ES256", "key": b64u(supervisor.spki), "kid": supervisor.kid}
            rows.append({**own, "name": cast.SUPERVISOR.name_zh, "role": "supervisor"})
        body = {
            "institutions": sorted(rows, key=lambda row: row["kid"]),
            "issued": self.runtime.clock.now_ms(),
            "log_policy": self.runtime.witness_policy,
            "origin": self.runtime.origin,
            "seq": 1,
        }
        empty: dict[str, Any] = {"release_sha256": [], "supersedes": None, "tsa": [], "x509_roots": []}
        return TRUST.write({**body, **empty})

    def start_bid(self, lot: OpenLot, bidder: Party) -> str:
        return bids.start_bid(self.ledger, bidder.actor, reference=lot.tender, lot=lot.lot, stage=lot.stage)

    def context(self, lot: OpenLot, bidder: Party, bid: str, *, seq: int = 1) -> BidContext:
        return BidContext(
            bid=bid,
            bidder=bidder.code,
            bidder_kid=bidder.signer.kid,
            lot=lot.lot,
            policy_sha256=lot.policy.sha256,
            seq=seq,
            stage=lot.stage,
            tender=lot.tender,
        )

    def seal(
        self,
        lot: OpenLot,
        context: BidContext,
        *,
        total: int,
        files: Mapping[str, bytes] | None = None,
        supersedes: str | None = None,
    ) -> SealedBid:
        """Seal a real bid of ``total`` (fen) with the files of its main part."""
        signer = next(bidder.signer for bidder in self.bidders if bidder.code == context.bidder)
        sources = [FileSource.of_bytes(path, data) for path, data in (files or {"bid.txt": b"our offer"}).items()]
        manifest = build_manifest(context, sources, [secrets.token_bytes(32) for _ in sources])
        price = build_price(context, currency="CNY", total=total)
        plain = {
            "main": b"".join(write_main(manifest, sources)),
            "price": pad_price(price, lot.policy.price_bytes or 0),
        }
        return seal_bid(context=context, policy=lot.policy, parts=plain, signer=signer, supersedes=supersedes)

    def submit(self, bidder: Party, sealed: SealedBid) -> bids.Accepted:
        """Store the parts and hand in the envelope."""
        for data in sealed.parts.values():
            bids.store_part(
                self.ledger, self.runtime.objects, bidder.actor, sealed.context.bid, BytesIO(data), sha256_hex(data)
            )
        arrival = bids.Arrival(bid=sealed.context.bid, signed=sealed.envelope, last_byte=time.monotonic())
        return bids.submit(self.ledger, self.runtime.objects, bidder.actor, arrival)


def default_close(now_ms: int) -> int:
    """Return a lawful deadline at a whole second."""
    return (now_ms + LAWFUL_MS) // 1000 * 1000


def specification(closes: Sequence[int], **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of the specification
    """Return the demonstration's specification with a lot for each deadline; the schedules carry the deadlines."""
    body = cast.specification(close=min(closes), windows=dict.fromkeys(_WINDOWS, WINDOW_MS))
    lots = [{**body["lots"][0], "lot": str(number)} for number in range(1, len(closes) + 1)]
    return {**body, "lots": lots, **changes}


def with_deadlines(draft: TenderDraft, closes: Sequence[int]) -> TenderDraft:
    """Return the documents with a deadline of its own for each lot; the specification has one for all of them."""
    notice = loads_object(draft.notice)
    lots = []
    for lot in draft.lots:
        schedule = dumps({**loads_object(lot.schedule), "close": closes[int(lot.lot) - 1]})
        lots.append(LotDraft(lot=lot.lot, stage=lot.stage, policy=lot.policy, schedule=schedule))
    digests = {lot.lot: sha256_hex(lot.schedule) for lot in lots}
    offered = [{**each, "schedule_sha256": digests[each["lot"]]} for each in notice["lots"]]
    return TenderDraft(notice=dumps({**notice, "lots": offered}), lots=tuple(lots))


def open_market(runtime: Runtime, *, bidders: int = 3) -> Market:
    """Register everybody, enrol their keys at the desk and enter the calendar of this year and the next."""
    ledger = runtime.ledger
    for each in (cast.BUYER, *cast.CUSTODIANS):
        _register(ledger, each.code, each.name_zh, each.name_en, each.roles)
    desk = tuple(_account(ledger, f"desk{n}", cast.CENTRE.code, Role.DESK) for n in (1, 2))
    staff = (desk[0], desk[1])
    _account(ledger, "drafter", cast.AGENCY.code, Role.AGENCY)
    drafter = _enrolled(runtime, staff, cast.AGENCY.code, "agency", "drafter")
    reviewer = _account(ledger, "reviewer", cast.AGENCY.code, Role.REVIEWER)
    market = Market(runtime=runtime, drafter=drafter, reviewer=reviewer, staff=staff)
    for each in cast.CUSTODIANS:
        _account(ledger, f"{each.key}-custodian", each.code, Role.CUSTODIAN)
        party = _enrolled(runtime, staff, each.code, "custodian", f"{each.key}-custodian")
        market.custodians.append((each, party))
    for number in range(1, bidders + 1):
        code = bidder_code(number)
        _register(ledger, code, f"投标人{number:03d}", f"Bidder {number:03d}", ("bidder",))
        _account(ledger, f"bidder{number}", code, Role.BIDDER)
        market.bidders.append(_enrolled(runtime, staff, code, "bidder", f"bidder{number}"))
    first = WorkCalendar(zone=CHINA, workdays={}).date_of(market.now_ms()).year
    for year in (first, first + 1):
        days = days_of(year) if year in published_years() else assumed_days(year)
        procedures.set_calendar(ledger, staff[0], [(d.day, d.is_workday, d.name) for d in days], days[0].source)
    return market


def _register(ledger: Ledger, code: str, name_zh: str, name_en: str, roles: tuple[str, ...]) -> None:
    parties.register_organisation(ledger, _CONSOLE, code=code, name_zh=name_zh, name_en=name_en, roles=roles)


def _account(ledger: Ledger, login: str, code: str, role: Role) -> Actor:
    accounts.create_account(ledger, login=login, org_code=code, roles=(role,))
    with ledger.upkeep() as conn:
        return accounts.actor_of(conn, login)


def _enrolled(
    runtime: Runtime, staff: tuple[Actor, Actor], code: str, role: str, login: str, known: Es256Signer | None = None
) -> Party:
    """Make a key, unless there is one, and have two people of the desk register it (P6.2)."""
    signer = known or Es256Signer.generate()
    account, challenge = accounts.issue_challenge(runtime.ledger, login)
    created = runtime.clock.now_ms()
    document = enrolment(signer, account=account, challenge=challenge.hex(), org=code, role=role, created=created)
    accounts.enrol_key(runtime.ledger, staff, document)
    with runtime.ledger.upkeep() as conn:
        return Party(code=code, actor=accounts.actor_of(conn, login), signer=signer)
