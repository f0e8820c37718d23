"""Judges a storm: what clients were told against the public log (AL1 L4.5, L4.7; F19, G2). It believes no row of a bid.

From the database it takes only the records that the log commits to: their ``h`` must be in the tiles.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tests.build.market import OpenLot
from tests.support.polling import eventually
from tests.support.storm import Attempt, Storm
from trading.audit.rules.chain import parse_entry, record_commitment
from trading.audit.rules.note import parse_checkpoint_text, parse_note
from trading.audit.rules.record import parse_record
from trading.audit.rules.tiles import parse_bundle, tiles_of
from trading.bids.model import ManifestItem, bids_root
from trading.storage.tiles import CHECKPOINT, TileStore

LATE_ACCEPTED = "accepted at or after the deadline"
EARLY_REFUSED = "refused before the deadline"
NOT_IN_MANIFEST = "lots whose manifest is not what was acknowledged"
AFTER_CLOSE = "logged after the close"
NOT_LOGGED = "acknowledged and not in the log"
NOT_CLOSED_ONCE = "lots without exactly one close entry"
ANOTHER_ANSWER = "repeated with another answer"


@dataclass(frozen=True, slots=True)
class _Record:
    kind: str
    h: bytes
    lot: str
    body: dict[str, object]


def log_order(tiles: TileStore) -> dict[bytes, int]:
    """Return the index of every commitment in the entry tiles of the newest checkpoint."""
    note = tiles.read(CHECKPOINT)
    size = 0 if note is None else parse_checkpoint_text(parse_note(note).text).size
    found: list[bytes] = []
    for tile in tiles_of(size):
        if tile.level is None:
            data = tiles.read(tile.path)
            assert data is not None, tile.path
            found += [parse_entry(entry).h for entry in parse_bundle(data, tile.width)]
    assert len(found) == len(set(found)) == size
    return {h: n for n, h in enumerate(found)}


def settle(storm: Storm) -> dict[bytes, int]:
    """Wait until everything committed is logged, or until nothing more happens; return the log's order."""
    sizes = [-1]

    def rests() -> bool:
        with storm.world.database.connect() as superuser:
            waiting = superuser.exec_driver_sql("SELECT count(*) FROM log.audit_queue").scalar_one()
            size = superuser.exec_driver_sql("SELECT count(*) FROM log.log_position").scalar_one()
        sizes.append(size)
        return waiting == 0 or (len(sizes) > 100 and sizes[-100] == size)

    eventually(rests, seconds=60, what="the log rests")
    sequencer_is_done = len(sizes)
    eventually(lambda: len(log_order(storm.world.tiles)) >= sizes[-1], what=f"tiles after {sequencer_is_done} looks")
    return log_order(storm.world.tiles)


def check(storm: Storm, lots: Sequence[OpenLot], *, drained: bool) -> Counter[str]:
    """Return what is wrong, and how often; empty is right.

    Args:
        storm: After the storm.
        lots: The lots that were to be closed.
        drained: Whether the closer waited for the drain. Without it an act in time may lose the race for the lock, so
            early refusals are no fault of the order.
    """
    order = settle(storm)
    journal = list(storm.journal)
    found: Counter[str] = Counter()
    found[LATE_ACCEPTED] = sum(each.code is None and each.received_at >= each.lot.close for each in journal)
    if drained:
        early = (each.code not in {None, "busy"} and each.received_at < each.lot.close for each in journal)
        found[EARLY_REFUSED] = sum(early)
    found[NOT_LOGGED] = sum(each.h not in order for each in journal)
    first: dict[str, bytes] = {}
    for each in journal:
        if each.code is None:
            found[ANOTHER_ANSWER] += first.setdefault(each.doc_sha256, each.h) != each.h
    accepted: defaultdict[tuple[str, str, str], list[Attempt]] = defaultdict(list)
    for each in journal:
        if each.code is None:
            accepted[each.lot.place].append(each)
    for lot in lots:
        found += _check_lot(storm, lot, accepted[lot.place], order)
    return +found


def _check_lot(storm: Storm, lot: OpenLot, accepted: Sequence[Attempt], order: dict[bytes, int]) -> Counter[str]:
    records = _records(storm, lot)
    closes = [each for each in records if each.kind == "tender.closed"]
    if len(closes) != 1:
        return Counter({NOT_CLOSED_ONCE: 1})
    close = closes[0]
    found: Counter[str] = Counter()
    found[NOT_LOGGED] = sum(each.h not in order for each in records)
    last = order.get(close.h, len(order))
    submitted = {each.h for each in accepted} | {each.h for each in records if each.kind != "tender.closed"}
    found[AFTER_CLOSE] = sum(order.get(h, -1) > last for h in submitted)
    items = _expected_manifest(accepted)
    found[NOT_IN_MANIFEST] = (close.body["bids_root"], close.body["count"]) != (bids_root(items), len(items))
    return found


def _expected_manifest(accepted: Sequence[Attempt]) -> tuple[ManifestItem, ...]:
    """Return what must be opened: the last acknowledged version of each bid that is no withdrawal (SB1 S8)."""
    heads: dict[str, Attempt] = {}
    for each in sorted(accepted, key=lambda each: each.seq):
        heads[each.bid] = each
    return tuple(
        ManifestItem(bid=bid, envelope_sha256=each.doc_sha256, h=each.h.hex(), seq=each.seq)
        for bid, each in heads.items()
        if each.kind == "envelope"
    )


def _records(storm: Storm, lot: OpenLot) -> list[_Record]:
    """Return the submissions and the close of a lot, each record opening its commitment."""
    query = (
        "SELECT kind, record, nonce, h FROM log.audit_entry WHERE procedure_id = %s"
        " AND kind IN ('bid.received', 'bid.withdrawn', 'tender.closed')"
    )
    with storm.world.database.connect() as superuser:
        rows = superuser.exec_driver_sql(query, (lot.procedure_id,)).all()
    found = []
    for row in rows:
        assert record_commitment(row.nonce, row.record) == row.h
        body = parse_record(bytes(row.record))["body"]
        if body["lot"] == lot.lot:
            found.append(_Record(row.kind, bytes(row.h), body["lot"], body))
    return found
