"""Copies of sealed parts in a second store: recorded when they are there, in nobody's way, the same for any count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select
from typing_extensions import override

from tests.support.market import Bidder, Market
from trading.assembly import ERRANDS
from trading.audit import errands
from trading.audit.errands import Postponed
from trading.audit.runtime import Runtime
from trading.audit.tables import errand as errand_table
from trading.bids import copying, jobs, store
from trading.bids.tables import copied, part
from trading.commands.audits import fsck
from trading.demo.cast import numbered_bidder
from trading.kernel.canonical import loads_object
from trading.storage.local import LocalStore
from trading.storage.objects import MAX_PART, StoreAway
from trading.storage.pair import PairedStore


class Away(LocalStore):
    """A store whose service answers when it is told to."""

    is_away = False

    @override
    def stat(self, digest: str) -> int | None:
        if self.is_away:
            raise StoreAway("it does not answer")
        return super().stat(digest)


@pytest.fixture(scope="module")
def bidder(market: Market) -> Bidder:
    bidder = Bidder(market, numbered_bidder(14))
    bidder.start()
    return bidder


@pytest.fixture
def runtime(market: Market, tmp_path: Path) -> Iterator[Runtime]:
    """A worker of an installation with a second store, which is new for each test."""
    first = market.runtime.objects
    assert isinstance(first, LocalStore)
    pair = PairedStore(first=first, second=Away(tmp_path / "copies"))
    yield replace(market.runtime, objects=pair, copies=pair)
    with market.runtime.ledger.upkeep() as conn:
        conn.execute(copied.delete().where(copied.c.sha256.in_(select(part.c.sha256))))


def second(runtime: Runtime) -> Away:
    assert runtime.copies is not None
    assert isinstance(runtime.copies.second, Away)
    return runtime.copies.second


def parts_of(bidder: Bidder) -> set[str]:
    return {each["sha256"] for row in bidder.client.get("/api/v1/bids").get_json()["bids"] for each in row["parts"]}


def told(bidder: Bidder, envelope_sha256: str) -> list[dict[str, Any]]:
    return [each for each in bidder.market.bodies("bid.replicated") if each["envelope_sha256"] == envelope_sha256]


def test_a_bid_is_recorded_as_copied_when_the_second_store_has_every_part(bidder: Bidder, runtime: Runtime) -> None:
    sealed = bidder.seal(5_000_000)
    main, price = sealed.parts["main"], sealed.parts["price"]
    rows = {row["name"]: row["sha256"] for row in loads_object(sealed.envelope.doc)["parts"]}
    second(runtime).is_away = True
    app = bidder.client.application
    with pytest.MonkeyPatch.context() as patch:  # the web process, too, has both stores
        patch.setitem(app.extensions, "runtime", replace(app.extensions["runtime"], objects=runtime.objects))
        assert bidder.submit(sealed).status_code == 201, "a store that is away keeps nobody from bidding"
    name = sealed.envelope.sha256
    with pytest.raises(Postponed):
        copying.copy(runtime, {})
    assert told(bidder, name) == []

    second(runtime).is_away = False
    with pytest.MonkeyPatch.context() as patch:  # one part cannot be stored yet
        put = second(runtime).put_stream
        patch.setattr(second(runtime), "put_stream", lambda source, limit=MAX_PART: _unless(put, price, source, limit))
        with pytest.raises(Postponed):
            copying.copy(runtime, {})
    assert told(bidder, name) == [], "the envelope waits for all of its parts"
    assert second(runtime).get(rows["main"]) == main

    with runtime.ledger.upkeep() as conn:  # ten minutes later
        conn.execute(copied.update().values(tried_at=copied.c.tried_at - copying.AGAIN_MS))
    for _ in range(2):  # it comes back for ever, and tells once
        again = copying.copy(runtime, {})
        assert again is not None
        assert told(bidder, name) == [{"envelope_sha256": name, "store": "second"}]
    assert second(runtime).get(rows["price"]) == price


def _unless(put: Any, refused: bytes, source: Any, limit: int) -> Any:  # noqa: ANN401 - the store's own function
    data = b"".join(iter(lambda: source.read(65536), b""))
    if data == refused:
        raise OSError("no space left on device")
    return put(BytesIO(data), limit=limit)


def test_two_workers_at_once_record_it_once(bidder: Bidder, runtime: Runtime) -> None:
    (row,) = bidder.client.get("/api/v1/bids").get_json()["bids"]
    last = row["versions"][-1]
    sealed = bidder.seal(4_900_000, seq=last["seq"] + 1, supersedes=last["sha256"])
    assert bidder.submit(sealed).status_code == 201
    other = replace(runtime)
    with pytest.MonkeyPatch.context() as patch:
        add = store.add_copied

        def slow(uow: Any, digest: str) -> None:  # noqa: ANN401 - a unit of work
            patch.undo()
            copying.copy(other, {})  # a whole round of another worker between looking and recording
            add(uow, digest)

        patch.setattr(store, "add_copied", slow)
        copying.copy(runtime, {})
    assert len(told(bidder, sealed.envelope.sha256)) == 1


def test_a_lost_copy_is_made_again_in_either_direction(bidder: Bidder, runtime: Runtime, tmp_path: Path) -> None:
    copying.copy(runtime, {})
    digest = next(iter(parts_of(bidder)))
    pair = runtime.copies
    assert pair is not None
    data, document = pair.get(digest), pair.put(b"a document, of which no row of bids knows")
    for folder in (tmp_path / "copies", bidder.market.directory / "objects"):
        path = folder / digest[:2] / digest
        path.unlink()
        assert pair.get(digest) == data
        assert copying.compare(runtime, {}) is not None
        assert path.read_bytes() == data
    assert second(runtime).get(document) == b"a document, of which no row of bids knows"


def test_wrong_bytes_are_left_for_a_person_and_keep_nothing_waiting(bidder: Bidder, runtime: Runtime) -> None:
    digest, *others = sorted(parts_of(bidder))
    path = bidder.market.directory / "objects" / digest[:2] / digest
    right = path.read_bytes()
    path.write_bytes(b"?" + right[1:])
    try:
        assert copying.copy(runtime, {}) is not None
        assert copying.compare(runtime, {}) is not None
        assert second(runtime).stat(digest) is None
        assert all(second(runtime).stat(each) is not None for each in others)
        assert path.read_bytes() != right
    finally:
        path.write_bytes(right)


def test_rounds_are_there_with_a_second_store_and_end_without_one(market: Market, runtime: Runtime) -> None:
    names = {copying.COPY, copying.COMPARE}
    with market.runtime.ledger.upkeep() as conn:
        conn.execute(errand_table.delete().where(errand_table.c.name.in_(names)))
    jobs.arm(market.runtime)
    assert not names & set(market.open_errands())
    jobs.arm(runtime)
    assert names <= set(market.open_errands())
    with market.runtime.ledger.read() as conn:
        due = [each for each in errands.due(conn, market.now() + 1) if each.name in names]
    assert all(not errands.run(runtime, ERRANDS, each.id) for each in due), "they come back"
    assert [handler(market.runtime, {}) for handler in (copying.copy, copying.compare)] == [None, None]
    with market.runtime.ledger.upkeep() as conn:
        conn.execute(errand_table.delete().where(errand_table.c.name.in_({*names, "bids.sweep_uploads"})))


def test_a_store_that_is_away_is_told_whether_or_not_anything_waits(market: Market, runtime: Runtime) -> None:
    """What operators read of it must not depend on bids (G4)."""
    copying.copy(runtime, {})
    second(runtime).is_away = True
    with pytest.raises(Postponed) as idle:
        copying.copy(runtime, {})
    with market.runtime.ledger.upkeep() as conn:
        conn.execute(copied.delete().where(copied.c.sha256.in_(select(part.c.sha256))))
    with pytest.raises(Postponed) as busy:
        copying.copy(runtime, {})
    assert str(idle.value) == str(busy.value)


def test_control_a_round_that_asks_only_when_something_waits_would_tell(runtime: Runtime) -> None:
    copying.copy(runtime, {})
    second(runtime).is_away = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copying, "_ASKED", "0" * 64)
        patch.setattr(second(runtime), "stat", lambda _digest: None)  # the question of every round is left out
        assert copying.copy(runtime, {}) is not None, "nothing waits, so nobody learns that the store is away"


def test_the_command_names_and_repairs_what_is_wrong_in_which_store(
    bidder: Bidder, runtime: Runtime, tmp_path: Path
) -> None:
    """``fsck --objects`` as the auditor runs it: it knows by the envelopes what must be there."""
    copying.compare(runtime, {})
    copies, objects = tmp_path / "copies", bidder.market.directory / "objects"
    lost, spoilt, *_ = sorted(parts_of(bidder))
    (objects / lost[:2] / lost).unlink()
    right = (objects / spoilt[:2] / spoilt).read_bytes()
    (copies / spoilt[:2] / spoilt).write_bytes(b"?" + right[1:])
    expected = {f"first store {lost}": "is missing", f"second store {spoilt}": "has other bytes than its name says"}
    for words in (["--objects"], ["--objects", "--repair"]):
        found = _objects(bidder.market, tmp_path, *words)
        assert {place: detail for place, detail in found.items() if lost in place or spoilt in place} == expected
    assert not {place for place in _objects(bidder.market, tmp_path, "--objects") if lost in place or spoilt in place}
    assert (copies / spoilt[:2] / spoilt).read_bytes() == right
    for folder in (objects, copies):
        (folder / lost[:2] / lost).rename(folder / f"{lost}.kept")
    gone = _objects(bidder.market, tmp_path, "--objects")
    (objects / f"{lost}.kept").rename(objects / lost[:2] / lost)
    assert {f"first store {lost}", f"second store {lost}"} <= gone.keys(), "an envelope names it, and no store has it"


def _objects(market: Market, directory: Path, *words: str) -> dict[str, str]:
    """Return what the command finds wrong with objects, by place."""
    (directory / "policy").write_text(market.world.policy_text)
    environment = {
        "DATABASE_URL": market.database.url("trading_auditor"),
        "LOG_DIR": str(market.world.log_dir),
        "LOG_ORIGIN": "log.test/audit",
        "OBJECT_STORE_URL": (market.directory / "objects").as_uri(),
        "OBJECT_COPY_URL": (directory / "copies").as_uri(),
        "WITNESS_POLICY": str(directory / "policy"),
    }
    told = json.loads(CliRunner().invoke(fsck, ["--json", *words], env=environment).stdout)
    return {each["place"]: each["detail"] for each in told["findings"] if each["check"] == "object"}
