"""The pages of the log: explorer, entries, comparisons, who looked at what, health; each in every state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from werkzeug.datastructures import MultiDict

from tests.build.pages import DAY, HOUR, NOW, Sample, closed_logs, code, digest, head, stamped_receipt
from tests.build.pages_hall import told
from tests.build.signed_log import ORIGIN, SignedLog, policy_text
from trading.audit.entries import Place
from trading.audit.health import ClockHealth, Health, WitnessHealth
from trading.audit.queries import Access, AccessWish, LoggedRecord
from trading.audit.rules import comparing
from trading.audit.rules.bounds import Bounds
from trading.audit.rules.chain import entry_bytes
from trading.audit.rules.policy import parse_policy
from trading.audit.rules.steps import inclusion_steps
from trading.audit.rules.tree import consistency_proof, inclusion_proof, leaf_hash, nodes_of
from trading.audit.views import CheckpointForm
from trading.crypto.notes import verify_note_signature
from trading.disclosure.explorer import Asked
from trading.kernel.canonical import dumps
from trading.kernel.encoding import b64
from trading.notices.queries.records import KINDS
from trading.supervision.rules.availability import day
from trading.web.forms import Form

LOG, OTHER = SignedLog().grow(40), SignedLog(salt=b"other").grow(40)
REFERENCE = "T-2026-2k7m4x9p"
SIZE = 5_529_600
COSIGNED = ((1, NOW // 1000), (2, NOW // 1000 + 1), (3, NOW // 1000 + 2))


def logged(n: int, kind: str = "tender.published") -> LoggedRecord:
    bodies: dict[str, dict[str, Any]] = {
        "tender.published": {
            "lot": "1", "notice_sha256": digest(n), "schedule_sha256": digest(n + 1), "stage": "all",
        },
        "opening.combined": {
            "items": [{"bid": f"b-{m}", "faults": [], "verdict": "OK"} for m in range(9)], "lot": "12", "stage": "all",
        },
        "config.changed": {},
    }  # fmt: skip
    content = {
        "actor": "a-7k3m", "article": "招标投标法 16", "at": NOW - n % 97 * HOUR, "body": bodies[kind], "kind": kind,
        "on_behalf_of": code("agency"), "procedure": REFERENCE, "request": None, "subject": "lot:1", "v": 1,
    }  # fmt: skip
    record = dumps(content)
    return LoggedRecord(
        n=n, t=NOW, p=bytes.fromhex(digest(("p", n))), entry_id=n, procedure_id=1, kind=kind, record=record,
        nonce=bytes.fromhex(digest(("nonce", n))), h=bytes.fromhex(digest(("h", n))),
    )  # fmt: skip


def shown(record: LoggedRecord | None = None, *, holds: bool = True, cosigned: bool = True, n: int = 23) -> Place:
    """Return a place in the small log; with a record the entry says so, and the way leads to another root."""
    path = inclusion_proof(n, 40, nodes_of(LOG.hashes))
    entry = None if record is None else entry_bytes(record.h, n, LOG.hashes[n - 1], record.t)
    hashes = list(LOG.hashes)
    if entry is not None:
        hashes[n] = leaf_hash(entry)
        path = inclusion_proof(n, 40, nodes_of(hashes))
    checkpoint = replace(LOG, hashes=hashes).checkpoint()
    place = Place(
        n=n,
        entry=entry,
        leaf=hashes[n],
        steps=inclusion_steps(n, 40, hashes[n], path),
        note=LOG.note(40, cosigners=COSIGNED if cosigned else ()),
        checkpoint=checkpoint if holds else LOG.checkpoint(39),
    )
    if not cosigned:
        return place
    times = tuple((f"witness{number}.example", 1000 * at) for number, at in COSIGNED)
    return replace(place, cosigners=times, bounds=Bounds(lower_ms=NOW - 61_000, upper_ms=NOW + 1_999))


def _explorer() -> Iterator[Sample]:
    kinds = sorted(KINDS)
    rows = [logged(SIZE - 3 * n, ("tender.published", "opening.combined")[n % 2]) for n in range(1, 51)]
    full = {"asked": Asked(), "found": rows, "older": "/log/explorer?before=1", "end": SIZE}
    for name, context in (
        ("full", full),
        ("filtered", {**full, "asked": Asked(reference=REFERENCE, kind="tender.published"), "found": rows[:2:2]}),
        ("empty", {**full, "asked": Asked(kind="lot.failed"), "found": []}),
        ("wrong", {**full, "asked": Asked(sought="a1b2"), "found": rows[:3], "older": None}),
        ("no-head", {**full, "found": [], "older": None, "end": 0}),
    ):
        newest = None if name == "no-head" else head()
        yield Sample(
            f"explorer-{name}", "/log/explorer", "log/explorer.html", {**context, "kinds": kinds, "head": newest}
        )
    one, many = logged(23), logged(23, "opening.combined")
    for name, record, place, withheld in (
        ("public", one, shown(one), False),
        ("long", many, shown(many), False),
        ("young", one, shown(one, cosigned=False), True),
        ("sealed", None, shown(cosigned=False), True),
        ("unwitnessed", None, shown(cosigned=False, n=0), False),
        ("broken", one, shown(one, holds=False), False),
    ):
        context = {"record": record, "place": place, "size": 40, "withheld": withheld, "origin": ORIGIN}
        yield Sample(f"position-{name}", "/log/explorer/23", "log/position.html", context)
    common = {"record": one, "size": 500, "withheld": False}
    for name, base, own in (("closed", 0, "next.example/audit"), ("continued", 300, ORIGIN)):
        context = {**common, "place": replace(shown(one), base=base), "origin": own}
        yield Sample(f"position-{name}", "/log/explorer/23", "log/position.html", context)


def _compared(kept: bytes) -> comparing.Comparison:
    return comparing.compare(
        kept,
        LOG.note(40),
        origin=ORIGIN,
        policy=parse_policy(policy_text()),
        verify=verify_note_signature,
        proof=lambda old, new: consistency_proof(old, new, nodes_of(LOG.hashes)),
    )


def _comparisons() -> Iterator[Sample]:
    kept = {
        "same": LOG.note(40, cosigners=COSIGNED), "continued": LOG.note(17, cosigners=COSIGNED), "fork": OTHER.note(17),
        "ahead": SignedLog().grow(60).note(), "other": SignedLog(origin="other.example/audit").grow(3).note(),
        "unsigned": LOG.note(40).replace(b"log.example/audit ", b"somebody.example ", 1), "malformed": b"checkpoint\n",
        "from-nothing": LOG.note(0),
    }  # fmt: skip
    common = {"form": CheckpointForm, "newest": head(), "configured": True, "origin": ORIGIN, "b64": b64}
    for name, note in kept.items():
        filled = partial(CheckpointForm, MultiDict({"note": note.decode()}))
        context = {**common, "form": filled, "found": _compared(note)}
        yield Sample(f"compare-{name}", "/log/compare", "log/compare.html", context)
    for name, cosigners in (("dropped", COSIGNED), ("behind-the-end", ())):
        found = replace(_compared(SignedLog().grow(60).note(cosigners=cosigners)), outcome=comparing.Outcome.DROPPED)
        context = {**common, "form": CheckpointForm, "found": found}
        yield Sample(f"compare-{name}", "/log/compare", "log/compare.html", context)
    for name, context in (
        ("asked", common), ("no-head", {**common, "newest": None}), ("no-keys", {**common, "configured": False}),
    ):  # fmt: skip
        yield Sample(f"compare-{name}", "/log/compare", "log/compare.html", {**context, "found": None})


def _records() -> Iterator[Sample]:
    one = logged(23)
    for name, content, place, is_public in (
        ("public", one.data, shown(one), True),
        ("sealed", one.data, None, True),
        ("asked", None, shown(one), False),
        ("opened", logged(23, "config.changed").data, shown(one), False),
    ):
        issued = None if place is None else stamped_receipt(place.n)
        context: dict[str, object] = {"told": told(1)[0], "content": content, "place": place, "issued": issued}
        context |= {"is_public": is_public, "form": Form}
        yield Sample(f"audit-record-{name}", f"/audit/log/{digest(('told', 0))}", "disclosure/record.html", context)


def _oversight() -> Iterator[Sample]:
    looks = [
        Access(
            h=digest(("look", n)), at=NOW - n * HOUR, account="a-7k3m", organisation=code("s"),
            what=(f"bundle.auditor:{REFERENCE}", f"record:{REFERENCE}:{digest(n)}")[n % 2],
        )
        for n in range(50)
    ]  # fmt: skip
    for name, rows, wish, everywhere in (
        ("none", [], AccessWish(), True),
        ("some", looks, AccessWish(), True),
        ("own", looks[:3], AccessWish(who="7k3m"), False),
        ("no-fit", [], AccessWish(what="pool"), False),
    ):
        context = {
            "accesses": rows, "wish": wish, "everywhere": everywhere,
            "older": "/supervision/accesses?before=00" if name == "some" else None,
        }  # fmt: skip
        yield Sample(f"accesses-{name}", "/supervision/accesses", "supervision/accesses.html", context)
    yield from _health()
    yield from _availability()


def _health() -> Iterator[Sample]:
    none: dict[str, tuple[dict[str, Any], ...]] = {"witness.missed": (), "log.delayed": (), "tst.anchored": ()}
    fine = WitnessHealth(name="supervisor", signed_at=NOW - 2_000, missed_since=None)
    late = WitnessHealth(name="notary", signed_at=NOW - HOUR, missed_since=NOW - HOUR)
    gone = WitnessHealth(name="auditor", signed_at=None, missed_since=NOW - 2 * DAY)
    clock = ClockHealth(host="database", at=NOW, offset_us=-1_734, dispersion_us=8_021, synchronised=True, hold=None)
    held = replace(clock, host="sequencer", synchronised=False, hold="clock is 2314 ms behind the last entry")
    empty = Health(witnesses=(), working=None, waiting_ms=0, clocks=(), events=none)
    full = Health(
        witnesses=(gone, late, fine), working=SIZE + 731, waiting_ms=63_000,
        clocks=(clock, held, replace(clock, host="web", synchronised=False)),
        events={
            "witness.missed": ({"witness": "notary", "since": NOW - HOUR, "at": NOW - HOUR + 60_000},),
            "log.delayed": ({"from": NOW - 2 * HOUR, "to": NOW - HOUR, "at": NOW - HOUR},),
            "tst.anchored": tuple(
                {
                    "at": NOW - n * DAY, "gen_time": NOW - n * DAY, "root": digest(n), "size": SIZE - n,
                    "token_sha256": digest(("token", n)), "tsa": ("tsa.example", "联合信任时间戳服务中心")[n % 2],
                }
                for n in range(20)
            ),
        },
    )  # fmt: skip
    quiet = Health(witnesses=(fine,), working=SIZE, waiting_ms=0, clocks=(clock,), events=none)
    for name, each, counted in (("empty", empty, True), ("full", full, True), ("hidden", quiet, False)):
        newest = None if name == "empty" else head()
        context = {"health": each, "counted": counted, "head": newest, "earlier": [], "now": NOW}
        yield Sample(f"health-{name}", "/supervision/health", "supervision/health.html", context)
    context = {"health": full, "counted": True, "head": head(), "earlier": closed_logs(), "now": NOW}
    yield Sample("health-continued", "/supervision/health", "supervision/health.html", context)


def _availability() -> Iterator[Sample]:
    def round_at(vantage: str, start: int, reason: str | None = None) -> dict[str, Any]:
        body = {"from": start, "ms": 700, "ok": reason is None, "reason": reason, "vantage": vantage}
        return {"body": body, "h": digest((vantage, start)), "n": start}

    hours = range(NOW - DAY, NOW, HOUR // 4)
    away = [each for each in hours if NOW - 9 * HOUR < each < NOW - 7 * HOUR]
    busy = [*away, *(each for each in hours if NOW - 4 * HOUR < each < NOW - 3 * HOUR)]
    told = [round_at("operator", each, "unreachable" if each in busy else None) for each in hours]
    told += [round_at("supervisor", each, "receipt.missing" if each in away else None) for each in hours[20:]]
    fresh = [round_at("operator", NOW - 20_000), round_at("supervisor", NOW - 9_000, "unreachable")]
    codes = ("too_slow", "busy", "integrity", "proof.root", "token.unknown", "bid.late", "gateway")
    each = {f"reason-{number}": [round_at("operator", NOW - 9_000, code)] for number, code in enumerate(codes)}
    for name, records in ({"empty": [], "full": [*told, *fresh]} | each).items():
        context = {"day": day(records, NOW)}
        yield Sample(f"availability-{name}", "/supervision/availability", "supervision/availability.html", context)


def samples() -> Iterator[Sample]:
    """Yield every page of this part in every state."""
    yield from _explorer()
    yield from _comparisons()
    yield from _records()
    yield from _oversight()
