"""One past tender driven through the platform's own services: published, sealed, closed, opened, ranked.

Everybody is in this process, but nothing is skipped: keys are proved, envelopes signed and dealt, shares checked and
released, factors revealed, all bids combined before any is opened. Only opening packages are left out (stack: their
passphrase costs seconds each), and the windows are as short as the protocol allows.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from io import BytesIO
from time import monotonic, sleep
from typing import Any, Final

from agents.sealing import SealedBid, seal_bid
from agents.station.combine import BidInput, Combined, combine_bid
from trading.audit.queries import entry_by_h
from trading.audit.runtime import Runtime
from trading.audit.service import platform_ms, witnessed
from trading.bids import queries as bid_queries
from trading.bids import service as bids
from trading.bids.rules.context import BidContext
from trading.bids.rules.envelope import Envelope, parse_envelope
from trading.bids.rules.manifest import FileSource, build_manifest, read_main, write_main
from trading.bids.rules.policy import Policy, parse_policy
from trading.bids.rules.price import build_price, pad_price, parse_price
from trading.bids.service import Arrival
from trading.crypto.envelope import decrypt_part, derive_identity
from trading.crypto.keys import XWingPrivateKey, hpke_open, release_info
from trading.crypto.shares import commit_share
from trading.crypto.signatures import Es256Signer, SignedDocument, sign_document
from trading.custody import queries as custody_queries
from trading.custody import service as custody
from trading.demo.custodian import LocalCustodian
from trading.demo.tenders_csv import PastTender
from trading.evaluation import service as evaluation
from trading.evaluation.rules.ranking import Ranking
from trading.kernel.canonical import loads_object
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u_decode
from trading.kernel.roles import Actor
from trading.notices import drafting
from trading.notices import service as notices
from trading.notices.service import LotDocuments
from trading.openings import queries as opening_queries
from trading.openings.model import Place
from trading.openings.rules.answers import parse_release
from trading.openings.rules.factors import make_factor
from trading.openings.rules.orders import ClosedLot, OpenOrder, OrderedBid, make_order, parse_order
from trading.openings.rules.transcripts import TranscriptItem, make_transcript
from trading.openings.rules.verdicts import Check, Code, CustodianFacts, Release
from trading.openings.service import advance, answers, factors, results
from trading.openings.service import documents as collected
from trading.procedures import queries as procedures
from trading.procedures import service as procedure_service

LOT: Final = ("1", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """Everybody of a replay: who signs what, and who acts."""

    runtime: Runtime
    drafter: Actor
    reviewer: Actor
    supervisor: Actor
    agency_key: Es256Signer
    supervisor_key: Es256Signer
    operator_key: Es256Signer
    custodians: tuple[LocalCustodian, ...]
    bidders: tuple[tuple[Actor, Es256Signer], ...]


@dataclass(slots=True, kw_only=True)
class PastTenderRun:
    """The state of one replayed tender."""

    company: Company
    tender: PastTender
    reference: str
    procedure_id: int = 0
    policy: Policy | None = None
    sealed: dict[str, SealedBid] = field(default_factory=dict)
    actors: dict[str, Actor] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)  # bid id to line of the file
    station: XWingPrivateKey = field(default_factory=lambda: XWingPrivateKey.from_seed(secrets.token_bytes(32)))
    order: OpenOrder | None = None
    good: dict[str, dict[int, bytes]] = field(default_factory=dict)

    @property
    def place(self) -> tuple[str, str, str]:
        """Return tender, lot and stage."""
        return self.reference, *LOT

    @property
    def stage_place(self) -> Place:
        """Return the place with the procedure's row id."""
        return Place(procedure=self.reference, procedure_id=self.procedure_id, lot=LOT[0], stage=LOT[1])

    def publish(self) -> None:
        """Hold the key ceremony, sign the documents, publish."""
        company, runtime = self.company, self.company.runtime
        with runtime.ledger.read() as conn:
            self.procedure_id = procedures.find(conn, self.reference).id
            now = platform_ms(conn)
        for custodian in company.custodians:
            signed = custodian.key_document(self.place, now)
            custody.register_share_key(
                runtime.ledger, Actor.party(custodian.signer.kid), self.procedure_id, self.place, signed
            )
            with runtime.ledger.read() as conn:
                job = next(
                    job
                    for job in custody_queries.waiting(conn, custodian.signer.kid, 0, 10_000)
                    if job.kind == "prove" and job.procedure_id == self.procedure_id
                )
            challenge = custodian.prove(self.place, b64u_decode(job.request["ct"]))
            custody.prove_possession(runtime.ledger, Actor.party(custodian.signer.kid), signed.sha256, challenge)
        procedure_service.submit_for_review(runtime.ledger, company.drafter, self.reference)
        with runtime.ledger.read() as conn:
            drafted = drafting.tender_draft(
                conn, self.reference, at=platform_ms(conn), demo=runtime.demo, intake=runtime.named_intake
            )
        lot = drafted.lots[0]
        signed_lot = LotDocuments(
            policy=sign_document(lot.policy, company.agency_key),
            schedule=sign_document(lot.schedule, company.agency_key),
        )
        notice = sign_document(drafted.notice, company.agency_key)
        notices.publish_tender(
            runtime.ledger, company.reviewer, self.reference, notice, {LOT: signed_lot}, demo=runtime.demo
        )
        self.policy = parse_policy(lot.policy)

    def submit_all(self) -> int:
        """Seal and submit every row of the file as a bid of its own; return how many were accepted."""
        for number, row in enumerate(self.tender.bids):
            actor, signer = self.company.bidders[number]
            self._submit(actor, signer, row.amount, row.line)
        return len(self.sealed)

    def _submit(self, actor: Actor, signer: Es256Signer, amount: int, line: int) -> None:
        runtime, policy = self.company.runtime, self._policy()
        bid = bids.start_bid(runtime.ledger, actor, reference=self.reference, lot=LOT[0], stage=LOT[1])
        context = BidContext(
            bid=bid,
            bidder=actor.organisation or "",
            bidder_kid=signer.kid,
            lot=LOT[0],
            policy_sha256=policy.sha256,
            seq=1,
            stage=LOT[1],
            tender=self.reference,
        )
        letter = FileSource.of_bytes("bid-letter.txt", f"Row {line} of the file.\n".encode())
        manifest = build_manifest(context, [letter], [secrets.token_bytes(32)])
        price = build_price(context, currency="CNY", total=amount)
        parts = {
            "main": b"".join(write_main(manifest, [letter])),
            "price": pad_price(price, policy.price_bytes or 0),
        }
        sealed = seal_bid(context=context, policy=policy, parts=parts, signer=signer)
        for data in sealed.parts.values():
            bids.store_part(runtime.ledger, runtime.objects, actor, bid, BytesIO(data), expected=sha256_hex(data))
        arrival = Arrival(bid=bid, signed=sealed.envelope, last_byte=monotonic())
        bids.submit(runtime.ledger, runtime.objects, actor, arrival)
        self.sealed[bid], self.actors[bid], self.lines[bid] = sealed, actor, line

    def _policy(self) -> Policy:
        if self.policy is None:
            raise ValueError("the tender is not published")
        return self.policy

    def open_order(self) -> None:
        """Make the order from the manifest, have agency and supervisor sign it, and check every share."""
        company, runtime = self.company, self.company.runtime
        order = self._order()
        signed = sign_document(order, company.agency_key, company.supervisor_key)
        collected.collect(runtime.ledger, company.supervisor, self.place, signed)
        self.order = parse_order(order)
        envelopes = {bid: parse_envelope(sealed.envelope.doc) for bid, sealed in self._ordered()}
        for index, custodian in self._seats():
            check = custodian.check(self.place, index, self.order, envelopes, self.order.created)
            answers.check_shares(runtime.ledger, Actor.party(custodian.signer.kid), self.place, index, check)

    def _ordered(self) -> list[tuple[str, SealedBid]]:
        if self.order is None:
            raise ValueError("no order yet")
        return [(bid, self.sealed[bid]) for bid in self.order.bid_ids]

    def _seats(self) -> list[tuple[int, LocalCustodian]]:
        by_kid = {custodian.signer.kid: custodian for custodian in self.company.custodians}
        return [(row.i, by_kid[row.kid]) for row in self._policy().custodians]

    def _order(self) -> bytes:
        runtime = self.company.runtime
        note = witnessed(runtime)
        if note is None:
            raise ValueError("no witnessed checkpoint")
        with runtime.ledger.read() as conn:
            closed = self._closed(conn)
            heads = bid_queries.heads_of_lot(conn, self.procedure_id, *LOT)
            listed = [
                OrderedBid(
                    bid=item.bid,
                    bidder=heads[item.bid].bidder,
                    envelope_sha256=item.envelope_sha256,
                    h=item.h,
                    n=_position(conn, bytes.fromhex(item.h)),
                    objection_h=None,
                    seq=item.seq,
                )
                for item in bid_queries.manifest(conn, self.procedure_id, *LOT)
            ]
            created = platform_ms(conn)
        return make_order(
            closed, listed, checkpoint=note.note.decode(), station_pk=self.station.public.raw, created=created
        )

    def _closed(self, conn: Any) -> ClosedLot:  # noqa: ANN401 - a connection
        record = opening_queries.entries(conn, self.stage_place, ("tender.closed",))[0]
        body = record["body"]
        return ClosedLot(
            tender=self.reference,
            lot=LOT[0],
            stage=LOT[1],
            close=body["close"],
            bids_root=body["bids_root"],
            policy_sha256=body["policy_sha256"],
            schedule_sha256=body["schedule_sha256"],
            h=record["h"],
            n=_position(conn, bytes.fromhex(record["h"])),
        )

    def reveal_all(self) -> None:
        """Open the factor window and have every bidder confirm the opening of its bid."""
        runtime = self.company.runtime
        self._advance("ordered")
        for bid, sealed in self._ordered():
            document = make_factor(bid, sealed.envelope.sha256, sealed.s_b)
            factors.reveal(runtime.ledger, self.actors[bid], bid, document)

    def _advance(self, step: str) -> None:
        """Do the step that the clock brings while the ceremony stands at ``step``, as soon as it is due."""
        runtime = self.company.runtime
        due = advance.run(runtime, self._arg())
        with runtime.ledger.read() as conn:
            row = opening_queries.opening_row(conn, self.stage_place)
        if row is not None and row.step == step and step != "factor" and due is not None:
            self._wait_until(due)
            advance.run(runtime, self._arg())

    def _wait_until(self, instant: int) -> None:
        with self.company.runtime.ledger.read() as conn:
            now = platform_ms(conn)
        if now <= instant:
            sleep((instant - now + 1) / 1000)

    def _factor_ends_at(self) -> int:
        with self.company.runtime.ledger.read() as conn:
            row = opening_queries.opening_row(conn, self.stage_place)
        return 0 if row is None or row.factor_ends_at is None else row.factor_ends_at

    def _arg(self) -> dict[str, str]:
        return {"tender": self.reference, "lot": LOT[0], "stage": LOT[1]}

    def release_all(self) -> None:
        """Sign the factor list, release every share to the station, report that nothing is missing."""
        company, runtime = self.company, self.company.runtime
        self._wait_until(self._factor_ends_at())
        self._advance("factor")
        with runtime.ledger.read() as conn:
            draft = opening_queries.drafts(conn, self.stage_place, "sb1.factor-list")[-1]
        signed = sign_document(draft.doc, company.agency_key, company.supervisor_key)
        collected.collect(runtime.ledger, company.supervisor, self.place, signed)
        order = self.order
        if order is None:
            raise ValueError("no order yet")
        for index, custodian in self._seats():
            release = custodian.release(self.place, index, order, order.bid_ids, signed.sha256, order.created)
            answers.release_shares(runtime.ledger, Actor.party(custodian.signer.kid), self.place, index, release)
            self._collect(index, order, release)
        results.report_gaps(runtime.ledger, company.drafter, self.place, [])
        self._advance("gaps")

    def _collect(self, index: int, order: OpenOrder, release: SignedDocument) -> None:
        """Open a release at the station and keep the shares that equal their commitments (S9.7)."""
        order_hash = bytes.fromhex(order.sha256)
        for item in parse_release(release.doc).items:
            envelope = parse_envelope(self.sealed[item.bid].envelope.doc)
            info = release_info(index, order_hash, bytes.fromhex(envelope.sha256))
            share = hpke_open(self.station.seed, info, item.ct or b"")
            if commit_share(share, envelope.context.bytes()) == envelope.shares[index - 1].c:
                self.good.setdefault(item.bid, {})[index] = share

    def open_all(self) -> None:
        """Combine every bid before opening any, open them, sign the transcripts."""
        company, runtime, policy = self.company, self.company.runtime, self._policy()
        combined = [combine_bid(self._input(bid, sealed), policy) for bid, sealed in self._ordered()]
        items = [
            {"bid": one.source.bid, "faults": [f.as_json() for f in one.verdict.faults], "verdict": "OK"}
            for one in combined
        ]
        results.combined(runtime.ledger, company.drafter, self.place, items)
        transcript = [self._open(one) for one in combined]
        with runtime.ledger.read() as conn:
            releases = {a.custodian: a.doc_sha256 for a in opening_queries.answers(conn, self.stage_place, "release")}
            created = platform_ms(conn)
        for tier in ("bidders", "audit"):
            document = make_transcript(
                parse_order(self.order.raw if self.order else b""),
                transcript,
                tier=tier,
                release_sha256s=[releases[index] for index in sorted(releases)],
                created=created,
            )
            signed = sign_document(document, company.operator_key, company.supervisor_key)
            collected.collect(runtime.ledger, company.supervisor, self.place, signed)

    def _input(self, bid: str, sealed: SealedBid) -> BidInput:
        facts = [
            CustodianFacts(
                index=index,
                check=Check.OK,
                release=Release.GOOD if index in self.good.get(bid, {}) else Release.BAD,
            )
            for index, _ in self._seats()
        ]
        return BidInput(
            bid=bid,
            envelope_sha256=sealed.envelope.sha256,
            envelope=parse_envelope(sealed.envelope.doc),
            copied=False,
            parts_stored=True,
            custodians=facts,
            good_shares=self.good.get(bid, {}),
            s_b=sealed.s_b,
            factor_listed=True,
        )

    def _open(self, one: Combined) -> TranscriptItem:
        if one.secrets is None or one.source.envelope is None:
            raise ValueError(f"{one.source.bid} does not open: {one.verdict.code}")
        envelope, ctx = one.source.envelope, one.source.envelope.context.bytes()
        identities = {
            part.name: derive_identity(one.secrets.s_c, one.secrets.s_b, ctx, part.name) for part in envelope.parts
        }
        runtime = self.company.runtime
        stored = {part.name: runtime.objects.get(part.sha256) for part in envelope.parts}
        price = parse_price(
            decrypt_part(identities["price"], stored["price"]), self._policy().price_bytes or 0, envelope.context
        )
        manifest_sha256 = _manifest_sha256(decrypt_part(identities["main"], stored["main"]), envelope)
        results.opened(
            runtime.ledger, self.company.drafter, self.place, _opened(one, envelope, price.raw, manifest_sha256)
        )
        return TranscriptItem(
            bid=one.source.bid,
            envelope_sha256=envelope.sha256,
            faults=one.verdict.faults,
            identity_price=identities["price"],
            identity_main=identities["main"],
            manifest_sha256=manifest_sha256,
            price_sha256=price.sha256,
            s_b=one.secrets.s_b,
            s_c=one.secrets.s_c,
            shares=tuple(one.source.good_shares[index] for index in sorted(one.source.good_shares)),
            verdict=Code.OK,
        )

    def rank(self) -> Ranking:
        """Rank the opened bids by the platform's use case."""
        runtime = self.company.runtime
        ranking, _ = evaluation.evaluate(runtime.ledger, self.company.drafter, self.reference, *LOT)
        return ranking


def _position(conn: Any, h: bytes) -> int:  # noqa: ANN401 - a connection
    row = entry_by_h(conn, h)
    if row is None or row.position is None:
        raise ValueError("the record is not in the log yet")
    return row.position.n


def _manifest_sha256(plaintext: bytes, envelope: Envelope) -> str:
    return read_main(BytesIO(plaintext), envelope.context).sha256


def _opened(one: Combined, envelope: Envelope, price: bytes, manifest_sha256: str) -> dict[str, Any]:
    return {
        "bid": one.source.bid,
        "bidder": envelope.bidder,
        "envelope_sha256": envelope.sha256,
        "manifest_sha256": manifest_sha256,
        "price": loads_object(price),
        "price_sha256": sha256_hex(price),
    }
