"""Published procedures, openings and results as rows, each under an entry of its own, for tests of what pages read.

The database guard is on, so every row names an entry of its transaction; the use cases are not run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table

from tests.build.tenders import NATIONAL
from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.model import Recorded
from trading.awards.tables import award
from trading.bids.tables import bid
from trading.documents.tables import document
from trading.evaluation.tables import ranking
from trading.kernel.canonical import dumps
from trading.kernel.events import Event
from trading.kernel.ids import new_row_id
from trading.kernel.roles import Actor
from trading.notices.tables import notice
from trading.openings.tables import custodian_answer, opened_bid, opening
from trading.parties.model import register_organisation
from trading.parties.tables import organisation
from trading.procedures.tables import lot, procedure

ACTOR = Actor.system("test")
CUSTODIANS = ("agency", "operator", "supervisor", "notary", "centre")
EDITION = NATIONAL.document()
HASH = "ab" * 32


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def bidder(number: int) -> str:
    return f"BIDDER-{number:03d}"


@dataclass(kw_only=True)
class Records:
    """One published procedure and what happens to it; ``at`` are ms."""

    ledger: Ledger
    reference: str
    id: int = field(default_factory=new_row_id)
    policies: dict[str, bytes] = field(default_factory=dict)

    def _row(self, uow: UnitOfWork, recorded: Recorded, table: Table, **values: object) -> int:
        row = new_row_id()
        uow.connection.execute(table.insert().values(id=row, entry_id=recorded.entry_id, **values))
        return row

    def _event(self, kind: str, subject: str, **body: object) -> Event:
        return Event(kind=kind, subject=subject, body=body, procedure_id=self.id, procedure=self.reference)

    def _of_lot(self, kind: str, number: str, **body: object) -> Event:
        return self._event(kind, f"lot:{number}", lot=number, stage="all", **body)

    def publish(
        self,
        lots: Mapping[str, tuple[str, int]],
        *,
        title: str = "课桌椅",
        published_at: int = 1,
        phase: str = "published",
    ) -> None:
        """Publish with lots ``number -> (phase, close_at)``."""
        with self.ledger.begin(ACTOR) as uow:
            body = {"edition_id": "CN-GP-2026.1", "edition_sha256": HASH, "regime": "GP", "spec_sha256": HASH}
            recorded = uow.record(self._event("procedure.drafted", f"procedure:{self.reference}", **body))
            self._procedure(uow, recorded, title, published_at, phase)
            self._document(uow, recorded, "mb.edition", EDITION)
            for number, (of_lot, close_at) in lots.items():
                self._lot(uow, recorded, number, of_lot, close_at)
        for number in lots:
            with self.ledger.begin(ACTOR) as uow:
                uow.record(self._of_lot("tender.published", number, notice_sha256=HASH, schedule_sha256=HASH))
        self.notice(1, "tender", sorted(lots))

    def _procedure(self, uow: UnitOfWork, recorded: Recorded, title: str, published_at: int, phase: str) -> None:
        uow.connection.execute(
            procedure.insert().values(
                id=self.id,
                entry_id=recorded.entry_id,
                reference=self.reference,
                kind="open_tender_gp",
                regime="GP",
                jurisdiction="CN",
                edition_id="CN.2026-02-01",
                edition_sha256=sha(EDITION),
                phase=phase,
                version=1,
                title_zh=title,
                title_en="School desks",
                buyer_code="BUYER",
                agency_code="AGENCY",
                supervisor_code="SUPERVISOR",
                drafted_by="a-1",
                spec=b"{}",
                published_at=published_at,
            )
        )

    def _lot(self, uow: UnitOfWork, recorded: Recorded, number: str, phase: str, close_at: int) -> None:
        holders = [
            {"hpke_pk": "", "i": n + 1, "kid": HASH, "name": role, "role": role} for n, role in enumerate(CUSTODIANS)
        ]
        head = {"lot": number, "tender": self.reference}
        policy = dumps({**head, "bidder_factor": True, "custodians": holders, "k": 3, "typ": "sb1.policy"})
        schedule = dumps(
            {
                "cause": None,
                "close": close_at,
                "extension_rule": None,
                "factor_window_ms": 1_800_000,
                "intake": None,
                "lot": number,
                "objection_ms": 600_000,
                "release_window_ms": 900_000,
                "rescue_ms": 900_000,
                "share_check_ms": 600_000,
                "seq": 1,
                "tender": self.reference,
                "typ": "mb.schedule",
            }
        )
        self._document(uow, recorded, "sb1.policy", policy)
        self._document(uow, recorded, "mb.schedule", schedule)
        self.policies[number] = policy
        self._row(
            uow,
            recorded,
            lot,
            procedure_id=self.id,
            number=number,
            stage="all",
            phase=phase,
            close_at=close_at,
            policy_sha256=sha(policy),
            schedule_sha256=sha(schedule),
            ceiling=500_000,
            currency="CNY",
            title_zh=f"标段{number}",
            title_en=f"Lot {number}",
        )

    def _document(self, uow: UnitOfWork, recorded: Recorded, typ: str, data: bytes) -> None:
        values = {"sha256": sha(data), "typ": typ, "bytes": data, "sigs": b'[{"alg":"ES256"}]'}
        self._row(uow, recorded, document, procedure_id=self.id, **values)

    def document(self, typ: str, **fields: object) -> bytes:
        """Store one more document and return its bytes."""
        data = dumps({**fields, "tender": self.reference, "typ": typ, "v": 1})
        with self.ledger.begin(ACTOR) as uow:
            recorded = uow.record(self._of_lot("policy.fixed", "1", policy_sha256=HASH, schedule_sha256=HASH))
            self._document(uow, recorded, typ, data)
        return data

    def notice(self, number: int, kind: str, lots: Sequence[str], changes: Sequence[Mapping[str, str]] = ()) -> bytes:
        item = {"code": "A02", "name_en": "Desk", "name_zh": "课桌", "quantity": "40", "unit": "套"}
        offered = [
            {"items": [item], "lot": each, "method": "lowest_evaluated_price", "tie_rule": "price_identity_lottery"}
            for each in lots
        ]
        body = {
            "changes": list(changes),
            "kind": kind,
            "lots": offered if kind in {"tender", "correction"} else [],
            "number": number,
            "supersedes": None if number == 1 else HASH,
            "tender": self.reference,
            "text_en": "Desks.",
            "text_zh": "课桌。",
            "title_en": "School desks",
            "title_zh": "课桌椅",
            "typ": "mb.notice",
            "v": 1,
        }
        data = dumps(body)
        with self.ledger.begin(ACTOR) as uow:
            event = self._of_lot(
                "tender.changed", lots[0], cause=None, evidence=[], notice_sha256=HASH, schedule_sha256=HASH
            )
            recorded = uow.record(event)
            self._row(
                uow,
                recorded,
                notice,
                procedure_id=self.id,
                number=number,
                kind=kind,
                sha256=sha(data),
                bytes=data,
                sigs=b'[{"alg":"ES256"}]',
                published_at=uow.at,
            )
        return data

    def seal(self, number: str, count: int) -> list[str]:
        """Receive ``count`` sealed bids for a lot and return their ids."""
        references = []
        for place in range(1, count + 1):
            reference = f"b-{self.reference}-{number}-{place:03d}"
            with self.ledger.begin(ACTOR) as uow:
                recorded = uow.record(
                    self._event(
                        "bid.received",
                        f"bid:{reference}",
                        bid=reference,
                        bidder=bidder(place),
                        envelope_sha256=HASH,
                        lot=number,
                        queue_ms=0,
                        received_at=uow.at,
                        seq=1,
                        sig_sha256=HASH,
                        stage="all",
                        via="platform",
                    )
                )
                self._row(
                    uow,
                    recorded,
                    bid,
                    procedure_id=self.id,
                    lot=number,
                    stage="all",
                    reference=reference,
                    bidder_code=bidder(place),
                    seq=1,
                    head_kind="envelope",
                    head_sha256=sha(reference.encode()),
                    head_h=recorded.h,
                    policy_sha256=sha(self.policies[number]),
                    received_at=uow.at,
                )
            references.append(reference)
        return references

    def close(self, number: str, count: int) -> None:
        with self.ledger.begin(ACTOR) as uow:
            uow.record(
                self._of_lot(
                    "tender.closed",
                    number,
                    bids_root=HASH,
                    close=uow.at,
                    closed_at=uow.at,
                    count=count,
                    heartbeat_size=1,
                    policy_sha256=HASH,
                    schedule_sha256=HASH,
                )
            )

    def order(self, number: str, references: Sequence[str], step: str = "ordered") -> None:
        """Record the opening order and the ceremony's row at ``step``."""
        listed = [
            {"bid": each, "bidder": bidder(place), "envelope_sha256": sha(each.encode()).hex()}
            for place, each in enumerate(references, 1)
        ]
        data = dumps({"bids": listed, "lot": number, "tender": self.reference, "typ": "sb1.open-order", "v": 1})
        with self.ledger.begin(ACTOR) as uow:
            recorded = uow.record(self._of_lot("open.ordered", number, order_sha256=sha(data).hex()))
            self._document(uow, recorded, "sb1.open-order", data)
            self._row(
                uow,
                recorded,
                opening,
                procedure_id=self.id,
                lot=number,
                stage="all",
                step=step,
                order_sha256=sha(data),
                order_seq=1,
                first_ordered_at=uow.at,
                ordered_at=uow.at,
            )
            for kind, holders in (("check", 5), ("release", 3)):
                for custodian in range(1, holders + 1):
                    self._row(
                        uow,
                        recorded,
                        custodian_answer,
                        procedure_id=self.id,
                        lot=number,
                        stage="all",
                        kind=kind,
                        custodian=custodian,
                        order_sha256=sha(data),
                        doc_sha256=sha(f"{kind}{custodian}".encode()),
                    )

    def read_out(self, prices: Mapping[str, int | None], faults: Sequence[Mapping[str, Any]] = ()) -> None:
        """Give bids their result: a total in minor units, or None for a bid that did not open."""
        for reference, total in prices.items():
            price = None if total is None else dumps({"currency": "CNY", "total": total, "typ": "sb1.price", "v": 1})
            verdict = "OK" if price else "BIDDER_NO_FACTOR"
            with self.ledger.begin(ACTOR) as uow:
                found = uow.connection.execute(bid.select().where(bid.c.reference == reference)).one()
                recorded = uow.record(
                    self._event("bid.verdict", f"bid:{reference}", bid=reference, faults=[], verdict=verdict)
                )
                self._row(
                    uow,
                    recorded,
                    opened_bid,
                    procedure_id=self.id,
                    bid_id=found.id,
                    verdict=verdict,
                    faults=dumps(list(faults) if total is None else []),
                    price=price,
                    price_sha256=None if price is None else sha(price),
                )

    def rank(self, number: str, items: Sequence[Mapping[str, Any]], chosen: tuple[str, str, int] | None) -> None:
        """Store the ranking and, if ``chosen`` (bid, bidder, price), the award."""
        body = {
            "currency": "CNY",
            "edition_sha256": HASH,
            "items": list(items),
            "method": "lowest_evaluated_price",
            "tie": None,
        }
        with self.ledger.begin(ACTOR) as uow:
            recorded = uow.record(self._of_lot("bids.ranked", number, **body))
            self._row(
                uow,
                recorded,
                ranking,
                procedure_id=self.id,
                lot=number,
                stage="all",
                method="lowest_evaluated_price",
                items=dumps(list(items)),
                tie=dumps(None),
                h=recorded.h,
            )
            if chosen is not None:
                reference, code, price = chosen
                self._row(
                    uow,
                    recorded,
                    award,
                    procedure_id=self.id,
                    lot=number,
                    stage="all",
                    bid_reference=reference,
                    bidder_code=code,
                    price=price,
                    ranked_h=recorded.h,
                )


def register(ledger: Ledger, *codes: str) -> None:
    """Enter organisations whose names are their codes."""
    for code in codes:
        with ledger.begin(ACTOR) as uow:
            names = {"name_zh": f"{code} 单位", "name_en": f"{code} Ltd"}
            recorded = uow.record(register_organisation(code=code, roles=(), **names))
            uow.connection.execute(
                organisation.insert().values(
                    id=new_row_id(),
                    entry_id=recorded.entry_id,
                    code=code,
                    roles=[],
                    **names,
                )
            )
