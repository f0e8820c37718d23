"""Bundles of kind ``public``, ``auditor`` and ``audit`` (AL1 L12.1): only bytes that were recorded or logged."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from trading.audit.evidence import LogPart, consistency_files, continuations, log_parts
from trading.audit.queries import LoggedRecord, anchors_of, logged_records
from trading.audit.rules.note import Checkpoint, parse_checkpoint_text, parse_note
from trading.audit.rules.tiles import TILE_WIDTH, Tile, bundle_bytes, parse_bundle, tiles_of
from trading.audit.rules.tree import HASH_BYTES
from trading.audit.runtime import Runtime
from trading.audit.service import LogReader, WitnessedNote, reader, record_access, witnessed
from trading.disclosure import queries
from trading.disclosure.queries import Contents
from trading.disclosure.rules.tiers import Tier, shows_document, shows_part, shows_record
from trading.kernel.canonical import dumps, loads_object
from trading.kernel.digests import sha256_hex
from trading.kernel.encoding import b64u
from trading.kernel.errors import Conflict, NotFound, RuleBroken
from trading.kernel.roles import Actor

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)  # the same content always gives the same bytes
_PAGE: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleExtras:
    """What comes from outside the record: the verifier's own file and the trust file, for information."""

    verifier: bytes
    trust: bytes
    trust_sigs: bytes


class BundleWriter:
    """Writes files into a ZIP and lists them for ``bundle.json``."""

    def __init__(self, target: Path) -> None:
        self._zip = zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        self._files: dict[str, dict[str, Any]] = {}

    def add(self, path: str, data: bytes) -> None:
        """Add one file; the same path again must have the same bytes."""
        if path in self._files:
            return
        self._files[path] = {"path": path, "sha256": sha256_hex(data), "size": len(data)}
        self._zip.writestr(zipfile.ZipInfo(path, _EPOCH), data, compress_type=zipfile.ZIP_DEFLATED)

    def add_sealed(self, path: str, sha256: str, size: int, chunks: Iterator[bytes]) -> None:
        """Add one ciphertext of ``size`` bytes as it is read: a part can be larger than the memory.

        It is not packed: that costs time and gains nothing.

        Raises:
            IntegrityFailure: From ``chunks``: they do not hash to ``sha256``. The bundle is worth nothing then.
        """
        if path in self._files:
            return
        self._files[path] = {"path": path, "sha256": sha256, "size": size}
        entry = zipfile.ZipInfo(path, _EPOCH)
        entry.file_size = size
        with self._zip.open(entry, "w") as file:
            for chunk in chunks:
                file.write(chunk)

    def finish(self, header: dict[str, Any]) -> None:
        """Write ``bundle.json`` and close the file."""
        files = [self._files[path] for path in sorted(self._files)]
        content = dumps({**header, "files": files, "typ": "mb.bundle", "v": 1})
        self._zip.writestr(zipfile.ZipInfo("bundle.json", _EPOCH), content, compress_type=zipfile.ZIP_DEFLATED)
        self._zip.close()


def export_procedure(
    runtime: Runtime, reference: str, tier: Tier, target: Path, extras: BundleExtras, *, bid: str | None = None
) -> None:
    """Write the bundle of one procedure: kind ``public``, or ``auditor`` for the tier ``audit``.

    With ``bid`` it also holds what proves the result of that bid, which is for its bidder to give away (SB1 S11).

    Raises:
        NotFound: No completed opening lists ``bid``.
        RuleBroken: ``log.not_witnessed``: no checkpoint has a quorum yet.
    """
    log, note = _witnessed(runtime)
    with runtime.ledger.read() as conn:
        contents = queries.of_one(conn, reference)
    contents.records = [record for record in contents.records if record.n < note.size]
    contents.key_records = [record for record in contents.key_records if record.n < note.size]
    own = None if bid is None else queries.own_items(contents, bid)
    _restrict(contents, tier, queries.public_kinds(runtime.ledger.registry))
    if own is not None:
        own.add_to(contents)
    with runtime.ledger.read() as conn:
        contents.records += queries.evidence_of(conn, contents)
    parts = _parts(runtime, log, note)
    sizes = _with_anchors(runtime, contents, parts)
    writer = BundleWriter(target)
    _add_extras(writer, extras, note)
    _add_logs(writer, contents, parts, sizes)
    _add_documents(writer, contents)
    _add_parts(runtime, writer, contents)
    kind = "auditor" if tier is Tier.AUDIT else "public"
    writer.finish(_header(runtime, note, kind=kind, tier=tier, procedure=reference))


def hand_out_evidence(runtime: Runtime, actor: Actor, bid: str, target: Path, extras: BundleExtras) -> None:
    """Write the evidence of the result of one bid to the new file ``target``, mode 0600.

    For its bidder, the supervisor of its procedure, and auditors; of these two it is recorded before the file gets its
    name, because whoever has it can read the bid (SB1 S11, F58).

    Raises:
        NotFound: No such bid for this actor, or no completed opening lists it.
        RuleBroken: ``log.not_witnessed``.
        Conflict: ``target`` is there already.
    """
    if target.exists():
        raise Conflict(f"{target} is there already")
    with runtime.ledger.read() as conn:
        reference, is_own = queries.readable_bid(conn, actor, bid)
    fresh = target.with_name(f".{target.name}.{token_hex(6)}")
    try:
        fresh.touch(mode=0o600, exist_ok=False)
        tier = Tier.BIDDERS if runtime.demo else Tier.PUBLIC
        export_procedure(runtime, reference, tier, fresh, extras, bid=bid)
        if not is_own:
            record_access(runtime.ledger, actor, f"evidence:{reference}:{bid}")
        target.hardlink_to(fresh)  # never replaces anything
    finally:
        fresh.unlink(missing_ok=True)


def export_draw(runtime: Runtime, draw: str, tier: Tier, target: Path, extras: BundleExtras) -> None:
    """Write the bundle of a draw of experts (ED1 D11, D15): kind ``draw``, tier ``public`` or ``audit``.

    Raises:
        NotFound: The draw is not disclosed yet; for auditors, it has no result yet.
        RuleBroken: ``log.not_witnessed``: no checkpoint has a quorum yet.
    """
    log, note = _witnessed(runtime)
    with runtime.ledger.read() as conn:
        contents, reference = queries.of_draw(conn, draw, audit=tier is Tier.AUDIT)
    contents.records = [record for record in contents.records if record.n < note.size]
    contents.key_records = [record for record in contents.key_records if record.n < note.size]
    queries.with_keys(contents)
    parts = _parts(runtime, log, note)
    sizes = _with_anchors(runtime, contents, parts)
    writer = BundleWriter(target)
    _add_extras(writer, extras, note)
    _add_logs(writer, contents, parts, sizes)
    _add_documents(writer, contents)
    writer.finish(_header(runtime, note, kind="draw", tier=tier, procedure=reference))


def export_log(runtime: Runtime, target: Path, extras: BundleExtras) -> None:
    """Write the bundle of the whole log: kind ``audit``, every entry opened, every document and part.

    Earlier logs that it continues are in it from their first entry to their final checkpoint.
    """
    log, note = _witnessed(runtime)
    with runtime.ledger.read() as conn:
        contents = queries.of_all(conn)
    writer = BundleWriter(target)
    _add_extras(writer, extras, note)
    for part in _parts(runtime, log, note):
        writer.add(f"{part.prefix}checkpoint", part.note)
        for path, data in tile_files(part.log, part.size):
            writer.add(part.prefix + path, data)
        for record in _all_records(runtime, part.base, part.base + part.size):
            writer.add(f"{part.prefix}records/{record.n - part.base}.json", record_file(record))
        _add_checkpoints(writer, part, {size for size, _ in part.log.tiles.notes() if size < part.size})
    _add_documents(writer, contents)
    _add_parts(runtime, writer, contents)
    writer.finish(_header(runtime, note, kind="audit", tier=Tier.AUDIT, procedure=None))


def _witnessed(runtime: Runtime) -> tuple[LogReader, WitnessedNote]:
    log = reader(runtime.log_dir)
    note = witnessed(runtime, log)
    if note is None:
        raise RuleBroken("log.not_witnessed", "AL1 L7.3")
    return log, note


def _header(runtime: Runtime, note: WitnessedNote, *, kind: str, tier: Tier, procedure: str | None) -> dict[str, Any]:
    return {
        "checkpoint_size": note.own_size,
        "kind": kind,
        "lot": None,
        "origin": runtime.origin,
        "procedure": procedure,
        "stage": None,
        "tier": tier.value,
    }


def _restrict(contents: Contents, tier: Tier, public: frozenset[str]) -> None:
    """Take out what the tier does not show, then add the keys of what is left."""
    completed, listed = queries.is_completed(contents), queries.listed_bids(contents)
    opened = queries.ordered_places(contents)
    over = queries.evaluated_entries(contents)
    contents.records = [
        record
        for record in contents.records
        if shows_record(
            tier,
            record.data,
            published_kind=record.kind in public,
            listed=listed,
            completed=completed,
            ranked=record.n in over,
        )
    ]
    ordered = queries.ordered_envelopes(contents)
    parsed = {digest: loads_object(signed.doc) for digest, signed in contents.documents.items()}
    contents.documents = {
        digest: contents.documents[digest]
        for digest, document in parsed.items()
        if shows_document(tier, document, listed=listed, completed=completed, opened=opened)
    }
    standing = {
        part["sha256"]
        for digest in contents.documents
        if parsed[digest]["typ"] == "sb1.envelope" and (digest in ordered or tier is Tier.AUDIT)
        for part in parsed[digest]["parts"]
    }
    contents.parts = {
        digest: name
        for digest, name in contents.parts.items()
        if digest in standing and shows_part(tier, name, completed=completed)
    }
    queries.with_keys(contents)


def _add_extras(writer: BundleWriter, extras: BundleExtras, note: WitnessedNote) -> None:
    writer.add("verify.py", extras.verifier)
    writer.add("trust.json", extras.trust)
    writer.add("trust.sig", extras.trust_sigs)
    writer.add("checkpoint", note.note)


def _add_documents(writer: BundleWriter, contents: Contents) -> None:
    for digest, signed in sorted(contents.documents.items()):
        writer.add(f"docs/{digest}.json", signed.doc)
        if signed.sigs:
            writer.add(f"docs/{digest}.sig", signed.sigs_bytes)


def _add_parts(runtime: Runtime, writer: BundleWriter, contents: Contents) -> None:
    for digest in sorted(contents.parts):
        size = runtime.objects.stat(digest)
        if size is not None:  # a lost part is a finding of the verifier, not a reason to give no bundle
            writer.add_sealed(f"parts/{digest}.age", digest, size, runtime.objects.chunks(digest))


def _parts(runtime: Runtime, log: LogReader, note: WitnessedNote) -> list[LogPart]:
    with runtime.ledger.read() as conn:
        return log_parts(conn, log, note)


def _add_logs(writer: BundleWriter, contents: Contents, parts: Sequence[LogPart], sizes: Sequence[set[int]]) -> None:
    """Add what each log proves: its checkpoint, the records that it holds, and the notes around them."""
    for part, noted in zip(parts, sizes, strict=True):
        writer.add(f"{part.prefix}checkpoint", part.note)
        for record in part.own(contents.records):
            writer.add(f"{part.prefix}log/{record.n - part.base}.tlog-proof", part.proof(record))
        _add_checkpoints(writer, part, noted)


def _with_anchors(runtime: Runtime, contents: Contents, parts: Sequence[LogPart]) -> list[set[int]]:
    """Add the records by which later logs begin, and those that anchor tokens over the checkpoints of the bundle.

    Return the sizes of these checkpoints in each log.
    """
    sizes = [_sizes_for(contents, part) for part in parts]
    with runtime.ledger.read() as conn:
        known = {record.n: record for record in (*contents.records, *continuations(conn, parts))}
        for part, noted in zip(parts, sizes, strict=True):
            for size in sorted({*noted, part.size}):
                if part.log.tokens.of_size(size):
                    known |= {each.n: each for each in part.own(anchors_of(conn, size, base=part.base))}
    contents.records = [known[n] for n in sorted(known)]
    return sizes


def _sizes_for(contents: Contents, part: LogPart) -> set[int]:
    """Return the sizes of the notes that bound the disclosed records in time (TE1 T7, T8), and of the orders."""
    sizes = sorted({size for size, _ in part.log.tiles.notes()})
    wanted: set[int] = set()
    for record in part.own(contents.records):
        n = record.n - part.base
        stamped = part.log.tokens.first_after(n)
        wanted.update(() if stamped is None else (stamped,))
        wanted.update([size for size in sizes if size > n][:1])
        wanted.update([size for size in sizes if size <= n][-1:])
    wanted.update(
        record.data["body"]["heartbeat_size"] - part.base
        for record in contents.records
        if record.kind == "tender.closed"
    )
    return wanted & set(sizes) | _ordered_sizes(contents, parse_checkpoint_text(parse_note(part.note).text).origin)


def _ordered_sizes(contents: Contents, origin: str) -> set[int]:
    """Return the size inside every open order's checkpoint, whose consistency the verifier wants to see."""
    orders = [loads_object(signed.doc) for signed in contents.documents.values()]
    texts = [order["checkpoint"] for order in orders if order["typ"] == "sb1.open-order"]
    return {found.size for found in map(_said, texts) if found.origin == origin}


def _said(note: str) -> Checkpoint:
    return parse_checkpoint_text(parse_note(note.encode()).text)


def _add_checkpoints(writer: BundleWriter, part: LogPart, sizes: set[int]) -> None:
    log = part.log
    for size, path in log.tiles.notes():
        data = log.tiles.read(path)
        if size in sizes and data is not None and size <= part.size:
            writer.add(part.prefix + path, data)
    for size in sorted({*sizes, part.size}):
        for path, data in _tokens(log, size, size):
            if size <= part.size:
                writer.add(part.prefix + path, data)
    for path, data in consistency_files(log, sizes, part.size).items():
        writer.add(part.prefix + path, data)


def tile_files(log: LogReader, size: int) -> Iterator[tuple[str, bytes]]:
    """Yield path and bytes of every tile and entry bundle of the tree of ``size`` entries, partial ones cut to it."""
    for tile in tiles_of(size):
        data = log.tiles.read(tile.path)
        yield tile.path, _cut(log, tile) if data is None else data


def _cut(log: LogReader, tile: Tile) -> bytes:
    """Return a partial tile as the beginning of the full one that has replaced it."""
    full = log.tiles.read(replace(tile, width=TILE_WIDTH).path)
    if full is None:
        raise NotFound(tile.path)
    if tile.level is None:
        return bundle_bytes(parse_bundle(full)[: tile.width])
    return full[: HASH_BYTES * tile.width]


def _all_records(runtime: Runtime, start: int, end: int) -> Iterator[LoggedRecord]:
    for first in range(start, end, _PAGE):
        with runtime.ledger.read() as conn:
            yield from logged_records(conn, first, min(end, first + _PAGE))


def record_file(record: LoggedRecord) -> bytes:
    """Return ``records/<n>.json`` (AL1 L9): what opens the commitment of entry ``n``."""
    return dumps({"nonce": record.nonce.hex(), "record": b64u(record.record), "t": record.t})


def write_log_site(runtime: Runtime, target: Path) -> int:
    """Write the whole log as a static tile site with entry bundles and witnessed notes; return its size."""
    log, note = _witnessed(runtime)
    size = note.own_size
    files = (*tile_files(log, size), *_notes(log, size), *_tokens(log, 0, size))
    for path, data in (("checkpoint", note.note), *files):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(data)
    return size


def _notes(log: LogReader, size: int) -> Iterator[tuple[str, bytes]]:
    for at, path in log.tiles.notes():
        data = log.tiles.read(path)
        if at <= size and data is not None:
            yield path, data


def _tokens(log: LogReader, first: int, last: int) -> Iterator[tuple[str, bytes]]:
    """Yield path and bytes of the time-stamp tokens over checkpoints of these sizes."""
    for name in log.tokens.within(first, last):
        data = log.tokens.read(name)
        if data is not None:
            yield name.path, data
