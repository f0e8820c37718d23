"""Judges what bidders were told while processes were killed: their journal against the public log (G1, F01, F02, F05).

It asks no row of a bid. From the database it takes only records whose commitment stands in the public log.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import NullPool, create_engine

from tests.build.market import OpenLot
from tests.support.bid_clients import Step
from trading.audit.rules.chain import parse_entry, record_commitment
from trading.audit.rules.note import parse_checkpoint_text, parse_note
from trading.audit.rules.record import parse_record
from trading.audit.rules.tiles import parse_bundle, tiles_of
from trading.bids.model import ManifestItem, bids_root
from trading.db import psycopg_url
from trading.embedded.postgres import SUPERUSER
from trading.storage.tiles import CHECKPOINT, TileStore
from trading.up import Platform

LOST = "acknowledged and not in the log"
TWICE = "in the log more than once"
ANOTHER_ANSWER = "repeated with another answer"
UNSETTLED = "begun and never settled"
UNKNOWN_EFFECT = "recorded for a bid that nobody was told of"
DOUBLED = "two records of one version"
NOT_CLOSED_ONCE = "not exactly one close"
OTHER_MANIFEST = "the manifest is not what was acknowledged"

_RECORDS = """
    SELECT record, nonce, h FROM log.audit_entry
     WHERE procedure_id = %s AND kind IN ('bid.received', 'bid.withdrawn', 'tender.closed') ORDER BY id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One record of the lot whose commitment is in the log."""

    kind: str
    h: str
    body: dict[str, Any]


def logged(platform: Platform) -> Counter[str]:
    """Return how often each commitment stands in the entry tiles of the newest checkpoint, which anybody can read."""
    tiles = TileStore(platform.data_dir / "log" / "tiles")
    note = tiles.read(CHECKPOINT)
    size = 0 if note is None else parse_checkpoint_text(parse_note(note).text).size
    found: Counter[str] = Counter()
    for tile in tiles_of(size):
        if tile.level is None:
            # A partial bundle is replaced by the full one, which begins with it.
            data = tiles.read(tile.path) or tiles.read(tile.path.partition(".p/")[0]) or b""
            found.update(parse_entry(entry).h.hex() for entry in parse_bundle(data)[: tile.width])
    return found


def records_of(platform: Platform, lot: OpenLot, log: Counter[str]) -> list[Recorded]:
    """Return submissions and closes of the lot that the log commits to."""
    assert platform.postgres is not None
    engine = create_engine(psycopg_url(platform.postgres.url(SUPERUSER, "mingbiao")), poolclass=NullPool)
    with engine.connect() as superuser:
        rows = superuser.exec_driver_sql(_RECORDS, (lot.procedure_id,)).all()
    found = []
    for row in rows:
        h = record_commitment(row.nonce, row.record).hex()
        record = parse_record(bytes(row.record))
        if h == bytes(row.h).hex() and h in log and (record["body"]["lot"], record["body"]["stage"]) == lot.place[1:]:
            found.append(Recorded(kind=record["kind"], h=h, body=record["body"]))
    return found


def check_acknowledged(journal: Sequence[Step], log: Counter[str], *, settled: bool = True) -> Counter[str]:
    """Return what is wrong with the answers alone, and how often; empty is right.

    Args:
        journal: What the clients wrote.
        log: Commitments in the log, read after the last line of the journal was waited for.
        settled: Whether every client has come to its end.
    """
    found: Counter[str] = Counter()
    told: dict[str, set[str]] = defaultdict(set)
    open_: dict[str, Step] = {}
    for step in journal:
        if step.what == "ok" and step.h is not None:
            told[step.doc_sha256].add(step.h)
        if step.what in {"ok", "fail"} and step.code != "busy":
            open_.pop(step.doc_sha256, None)
        else:
            open_.setdefault(step.doc_sha256, step)
    acknowledged = {h for answers in told.values() for h in answers}
    found[LOST] = sum(log[h] == 0 for h in acknowledged)
    found[TWICE] = sum(count > 1 for count in log.values())
    found[ANOTHER_ANSWER] = sum(len(answers) > 1 for answers in told.values())
    found[UNSETTLED] = len(open_) if settled else 0
    return +found


def check_closed(journal: Sequence[Step], lot: OpenLot, records: Sequence[Recorded]) -> Counter[str]:
    """Compare the records and the close of the lot with the journal; empty is right."""
    found: Counter[str] = Counter()
    told = {step.h for step in journal if step.what == "ok" and step.tender == lot.tender}
    bids = [each for each in records if each.kind != "tender.closed"]
    found[UNKNOWN_EFFECT] = sum(each.h not in told for each in bids)
    versions = Counter((each.body["bid"], each.body["seq"]) for each in bids)
    found[DOUBLED] = sum(count > 1 for count in versions.values())
    closes = [each for each in records if each.kind == "tender.closed"]
    if len(closes) != 1:
        return found + Counter({NOT_CLOSED_ONCE: 1})
    items = expected_manifest([step for step in journal if step.tender == lot.tender])
    close = closes[0].body
    late = any(step.what == "ok" and (step.received_at or 0) >= lot.close for step in journal)
    if late or (close["bids_root"], close["count"]) != (bids_root(items), len(items)):
        found[OTHER_MANIFEST] = 1
    return +found


def expected_manifest(journal: Sequence[Step]) -> tuple[ManifestItem, ...]:
    """Return what must be opened: the last acknowledged version of each bid, unless it is a withdrawal (SB1 S8)."""
    heads: dict[str, Step] = {}
    for step in sorted((step for step in journal if step.what == "ok"), key=lambda step: step.seq):
        heads[step.bid] = step
    items = [
        ManifestItem(bid=bid, envelope_sha256=step.doc_sha256, h=step.h or "", seq=step.seq)
        for bid, step in heads.items()
        if step.kind == "envelope"
    ]
    return tuple(sorted(items, key=lambda item: item.bid.encode()))
