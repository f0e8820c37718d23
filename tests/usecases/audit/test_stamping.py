"""Stamping end to end: real authorities over HTTP, a real log with witnesses, errands that run twice (TE1 T8)."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from agents.stamp_server import StampServer
from tests.support.authorities import OpensslAuthority, OwnAuthority, dripping, encrypt, openssl_front, serving
from tests.support.databases import Database
from tests.support.logs import Killed, LogWorld
from trading.assembly import ERRANDS, REGISTRY
from trading.audit import errands, jobs, queries, relay, service, stamping
from trading.audit.authorities import Authority, AuthorityUnreachable
from trading.audit.ledger import Ledger
from trading.audit.model import OVERDUE_MS, Report
from trading.audit.rules.proof import ReceiptState
from trading.audit.rules.stamps import AHEAD_MS, LATE_MS, MOMENT, MOMENTS, ROUND, ROUND_MS
from trading.audit.runtime import Runtime
from trading.crypto.stamps import make_request, verify_stamp
from trading.kernel.clock import FixedClock, SystemClock
from trading.kernel.errors import RuleBroken
from trading.kernel.events import Event
from trading.kernel.roles import Actor
from trading.storage.local import LocalStore
from trading.storage.tokens import TokenName, TokenStore

ACTOR = Actor.system("test")
FIRST, SECOND = "openssl.test", "own.test"


@dataclass
class Stamped:
    """A log, its worker's runtime and two authorities, of which the tests take away one or both."""

    world: LogWorld
    runtime: Runtime
    roots: dict[str, tuple[bytes, ...]]
    stack: ExitStack
    own: OwnAuthority
    asked: list[str] = field(default_factory=list)

    @property
    def tokens(self) -> TokenStore:
        return TokenStore(self.world.tiles.root)

    def act(self, kind: str = "config.changed") -> bytes:
        body: dict[str, Any] = dict.fromkeys(REGISTRY.get(kind).fields, "x")
        with self.runtime.ledger.begin(ACTOR) as uow:
            return uow.record(Event(kind=kind, subject="setting:x", body=body)).h

    def witness(self) -> None:
        """Log what waits and have it witnessed; then nothing is written any more."""
        with self.runtime.ledger.read() as conn:
            h = queries.newest_h(conn)
        assert h is not None
        with self.world.running():
            assert service.wait_witnessed(self.runtime, h, 10.0) is not None

    def at(self, h: bytes) -> service.IssuedReceipt:
        with self.runtime.ledger.read() as conn:
            found = service.receipt(conn, service.reader(self.runtime.log_dir), h)
        assert found is not None
        return found

    def anchors(self) -> list[dict[str, Any]]:
        query = "SELECT record FROM log.audit_entry WHERE kind = 'tst.anchored' ORDER BY id"
        with self.runtime.ledger.read() as conn:
            return [json.loads(record)["body"] for record in conn.exec_driver_sql(query).scalars()]

    def work(self) -> None:
        """Run the relay and every errand that is due once, as a sweep does."""
        jobs.arm(self.runtime)
        relay.relay(self.runtime, jobs.SUBSCRIPTIONS)
        for _ in range(2):  # the errand of an entry makes those of the authorities
            for each in self.due():
                errands.run(self.runtime, {**ERRANDS, **relay.handlers(jobs.SUBSCRIPTIONS)}, each.id)

    def due(self) -> list[errands.Errand]:
        with self.runtime.ledger.read() as conn:
            return errands.due(conn, errands.platform_ms(conn))

    def backlog(self) -> errands.Backlog:
        with self.runtime.ledger.read() as conn:
            return errands.backlog(conn, errands.platform_ms(conn))

    def make_due(self, name: str) -> None:
        """Let the time of an errand's wait be over."""
        with self.runtime.ledger.upkeep() as conn:
            past = "UPDATE desk.errand SET due_at = date_trunc('second', log.platform_time()) WHERE name = %s"
            conn.exec_driver_sql(past, (name,))

    def fsck(self) -> Report:
        return self.world.fsck(self.roots)


@pytest.fixture(scope="module")
def openssl(tmp_path_factory: pytest.TempPathFactory) -> OpensslAuthority:
    return OpensslAuthority(tmp_path_factory.mktemp("authority") / "tsa", FIRST)


@pytest.fixture
def stamped(world: LogWorld, database: Database, openssl: OpensslAuthority, tmp_path: Path) -> Iterator[Stamped]:
    service.reader.cache_clear()
    ledger = Ledger(database.engine("trading_worker"), registry=REGISTRY)
    own = OwnAuthority(SECOND)
    roots: dict[str, tuple[bytes, ...]] = {FIRST: (openssl.root,), SECOND: (own.root.der,)}
    with ExitStack() as stack:
        urls = [stack.enter_context(serving(each)) for each in (openssl_front(openssl), own.server())]
        runtime = Runtime(
            ledger=ledger,
            objects=LocalStore(tmp_path / "objects"),
            log_dir=world.tiles.root,
            origin=database.origin,
            demo=False,
            clock=SystemClock(),
            witness_policy=world.policy_text,
            authorities=tuple(Authority(name=name, url=url) for name, url in zip((FIRST, SECOND), urls, strict=True)),
            authority_roots=lambda: roots,
        )
        yield Stamped(world=world, runtime=runtime, roots=roots, stack=stack, own=own)
    service.reader.cache_clear()


def test_both_stamp_the_newest_checkpoint_and_receipts_say_so(stamped: Stamped) -> None:
    early = stamped.act()
    stamped.witness()
    assert stamped.at(early).state is ReceiptState.WITNESSED
    stamped.work()
    late = stamped.act()
    stamped.witness()
    found = stamped.at(early)
    assert (found.state, [each.tsa for each in found.tokens]) == (ReceiptState.STAMPED, [SECOND, FIRST][::-1])
    assert stamped.at(late).state is ReceiptState.WITNESSED
    note = stamped.world.tiles.first_witnessed(1)
    assert note is not None
    assert found.text.endswith(note)
    text = note.partition(b"\n\n")[0] + b"\n"
    for name in found.tokens:
        token = stamped.tokens.read(name)
        assert token is not None
        assert verify_stamp(token, text, stamped.roots[name.tsa]).gen_time == name.gen_time
    assert [(each["tsa"], each["size"]) for each in stamped.anchors()] == [(FIRST, 1), (SECOND, 1)]
    assert stamped.fsck().exit_code == 0


def test_a_log_that_only_anchors_tokens_has_not_grown(stamped: Stamped) -> None:
    stamped.act()
    stamped.witness()
    stamped.work()
    stamped.witness()
    stamped.make_due(ROUND)
    stamped.work()
    assert len(stamped.anchors()) == 2
    stamped.act()
    stamped.witness()
    stamped.make_due(ROUND)
    stamped.work()
    assert [each["size"] for each in stamped.anchors()] == [1, 1, 4, 4]


def test_a_round_comes_back_in_a_minute_and_stands_once(stamped: Stamped) -> None:
    assert [jobs.arm(stamped.runtime), jobs.arm(stamped.runtime)] == [2, 0]
    with stamped.runtime.ledger.read() as conn:
        now = errands.platform_ms(conn)
    stamped.work()
    assert stamped.due() == []
    with stamped.runtime.ledger.read() as conn:
        again = errands.next_due_after(conn, now)
    assert again is not None
    assert 0 <= again - now - ROUND_MS < 20_000
    gone = replace(stamped.runtime, authorities=())
    assert ERRANDS[ROUND](gone, {"tsa": FIRST}) is None
    assert ERRANDS[MOMENT](gone, {"tsa": FIRST, "n": 0}) is None


def test_a_worker_arms_at_its_start_and_once_an_hour(stamped: Stamped) -> None:
    """A round that is gone is back within the hour; between the hours nobody looks (boundary: just before, exactly)."""
    now = 5.0
    arming = jobs.Arming(jobs.arm, now_s=lambda: now)
    away = replace(
        stamped.runtime, ledger=Ledger(create_engine("postgresql+psycopg://127.0.0.1:9/x"), registry=REGISTRY)
    )
    with pytest.raises(RuleBroken, match="busy"):
        arming.arm(away)
    assert arming.arm(stamped.runtime) == 2, "what failed is tried again at once"
    with stamped.runtime.ledger.upkeep() as conn:
        conn.exec_driver_sql("UPDATE desk.errand SET done_at = log.platform_time() WHERE arg ->> 'tsa' = %s", (FIRST,))
    now += jobs.ARM_AGAIN_S - 0.001
    assert arming.arm(stamped.runtime) == 0
    now += 0.001
    assert [arming.arm(stamped.runtime), arming.arm(stamped.runtime)] == [1, 0]


def test_the_checkpoint_that_first_contains_a_moment(stamped: Stamped) -> None:
    """The newest one at that time is later; the moment has a token of its own."""
    assert {"tender.closed", "open.ordered", "opening.completed", "draw.sealed", "draw.result"} == MOMENTS  # TE1 T8
    assert jobs.SUBSCRIPTIONS[0].kinds == MOMENTS
    stamped.runtime = replace(stamped.runtime, authorities=stamped.runtime.authorities[1:])  # the quick one is enough
    stamped.act()
    stamped.act("draw.sealed")
    stamped.witness()
    for _ in range(3):
        stamped.act()
    stamped.witness()
    stamped.work()
    assert sorted(each["size"] for each in stamped.anchors()) == [2, 5]
    for _ in range(2):  # twice is as good as once
        stamped.make_due(MOMENT)
        stamped.work()
    assert len(stamped.anchors()) == 2


def test_a_moment_waits_for_the_witnesses(stamped: Stamped) -> None:
    authority = stamped.runtime.authorities[1]
    stamped.act("draw.result")
    assert not stamping.stamp_moment(stamped.runtime, authority, 0)
    for each in stamped.world.witnesses[:2]:
        each.stop()
    with stamped.world.sequencer() as sequencer:
        stamped.world.witnesses[0].start()
        stamped.world.witnesses[1].start()
        sequencer.start()
        sequencer.step()
    stamped.witness()
    assert stamping.stamp_moment(stamped.runtime, authority, 0)


def test_what_was_missed_is_not_stamped_later(stamped: Stamped, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, at and after the limit; the token of the newest checkpoint says its own time."""
    authority = stamped.runtime.authorities[1]
    stamped.act("draw.result")
    stamped.witness()
    note = stamped.world.tiles.first_witnessed(1)
    assert note is not None
    policy = stamped.world.policy
    witnessed_at = 1000 * (policy.t_up(service.verified_note(note, stamped.runtime.origin, policy).times) or 0) + 999
    for late in (witnessed_at + LATE_MS, witnessed_at + LATE_MS + 1):
        monkeypatch.setattr(Ledger, "platform_time", staticmethod(lambda _conn, at=late: at))
        assert stamping.stamp_moment(stamped.runtime, authority, 0)
        assert stamped.anchors() == []
    stamped.own.clock = FixedClock(witnessed_at)
    monkeypatch.setattr(Ledger, "platform_time", staticmethod(lambda _conn: witnessed_at + LATE_MS - 1))
    assert stamping.stamp_moment(stamped.runtime, authority, 0)
    assert len(stamped.anchors()) == 1


def test_one_authority_away_stops_nothing_and_is_seen(stamped: Stamped) -> None:
    dead = replace(stamped.runtime.authorities[0], url="http://127.0.0.1:9/")
    stamped.runtime = replace(stamped.runtime, authorities=(dead, stamped.runtime.authorities[1]))
    h = stamped.act("open.ordered")
    stamped.witness()
    stamped.work()
    assert {each["tsa"] for each in stamped.anchors()} == {SECOND}
    assert stamped.at(h).state is ReceiptState.STAMPED
    troubles = stamped.backlog().troubles
    assert {each.name for each in troubles} == {ROUND, MOMENT}
    assert all(each.last_error.startswith(FIRST) and not each.parked for each in troubles)
    assert stamped.due() == []  # it is not asked again at once
    alive = Authority(name=FIRST, url=stamped.stack.enter_context(serving(stamped.own.server())))
    stamped.runtime = replace(stamped.runtime, authorities=(alive, stamped.runtime.authorities[1]))
    stamped.roots[FIRST] = stamped.roots[SECOND]
    for name in (ROUND, MOMENT):
        stamped.make_due(name)
    stamped.work()
    assert stamped.backlog().troubles == ()


ANSWERS: dict[str, tuple[str, Callable[[Stamped], object]]] = {
    "a root that is not in the trust file": ("unknown_root", lambda s: s.roots.pop(SECOND)),
    "the root of the other authority": ("unknown_root", lambda s: s.roots.update({SECOND: s.roots[FIRST]})),
    "a time too far ahead": ("ahead", lambda s: ahead(s, AHEAD_MS + 30_000)),
}


def ahead(stamped: Stamped, ms: int) -> None:
    clock = FixedClock(SystemClock().now_ms() + ms)
    server = StampServer(("127.0.0.1", 0), stamped.own.signer, clock)
    authority = Authority(name=SECOND, url=stamped.stack.enter_context(serving(server)))
    stamped.runtime = replace(stamped.runtime, authorities=(stamped.runtime.authorities[0], authority))


@pytest.mark.parametrize("name", ANSWERS)
def test_a_token_that_does_not_verify_is_not_kept(stamped: Stamped, name: str) -> None:
    code, spoil = ANSWERS[name]
    spoil(stamped)
    stamped.act()
    stamped.witness()
    with pytest.raises(stamping.StampRefused, match=rf"{SECOND}: stamp\.{code}"):
        stamping.stamp_newest(stamped.runtime, stamped.runtime.authorities[1])
    assert list(stamped.tokens.within(0, 100)) == []
    assert stamped.anchors() == []


def test_a_worker_that_dies_before_it_anchors(stamped: Stamped, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next round anchors what was kept, once."""
    authority = stamped.runtime.authorities[1]
    stamped.act()
    stamped.witness()

    def die(*_anything: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(stamping, "_anchor", die)
        with pytest.raises(Killed):
            stamping.stamp_newest(stamped.runtime, authority)
    assert stamped.anchors() == []
    for _ in range(2):
        assert not stamping.stamp_newest(stamped.runtime, authority)
        (anchor,) = stamped.anchors()
        assert anchor["size"] == 1


def test_a_kept_token_is_never_replaced(tmp_path: Path) -> None:
    store, name = TokenStore(tmp_path), TokenName(size=5, tsa="a-b.c", gen_time=7)
    assert name.path == "tst/5/a-b.c-7.tsr"
    assert store.keep(name, b"first") == b"first"
    assert store.keep(name, b"second") == b"first"
    assert store.read(name) == b"first"
    assert [each.name for each in (tmp_path / "tst/5").iterdir()] == ["a-b.c-7.tsr"]
    for size in (9, 30):
        store.keep(TokenName(size=size, tsa="z", gen_time=1), b"x")
    assert [store.first_after(n) for n in (4, 5, 8, 9, 29, 30)] == [5, 9, 9, 30, 30, None]
    assert [each.size for each in store.latest("z")] == [30, 9]
    assert [each.size for each in store.within(5, 9)] == [5, 9]


def flipped(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def moved(path: Path) -> None:
    other = path.parents[1] / "2"
    other.mkdir()
    path.rename(other / path.name)


def replaced(stamped: Stamped, path: Path, ago_ms: int = OVERDUE_MS + 1_000) -> None:
    """Put another valid token of the same authority in its place, made so long before it."""
    note = stamped.world.tiles.first_witnessed(1) or b""
    request = make_request(note.partition(b"\n\n")[0] + b"\n")
    tsa, _, gen_time = path.name.removesuffix(".tsr").rpartition("-")
    made = int(gen_time) - ago_ms
    server = StampServer(("127.0.0.1", 0), stamped.own.signer, FixedClock(made))
    path.rename(path.with_name(f"{tsa}-{made}.tsr")).write_bytes(server.stamp(request.data))
    server.server_close()


def unknown(stamped: Stamped, _path: Path) -> None:
    del stamped.roots[SECOND]


DAMAGE: dict[str, Callable[[Stamped, Path], None]] = {
    "a bit of the signature": lambda _s, path: flipped(path, -5),
    "a bit that no signature covers": lambda _s, path: flipped(path, 34),
    "another name": lambda _s, path: path.rename(path.with_name("own.test-5.tsr")).touch(),
    "under another size": lambda _s, path: moved(path),
    "not anchored": replaced,
    "an unknown authority": unknown,
}


def test_fsck_verifies_every_token(stamped: Stamped) -> None:
    for _ in range(2):
        stamped.act()
        stamped.witness()
    # Sizes 1 and 2 are witnessed; the first of them is stamped as a moment would be.
    assert stamping.stamp_moment(stamped.runtime, stamped.runtime.authorities[1], 0)
    (path,) = (stamped.tokens.root / "tst" / "1").iterdir()
    token, roots = path.read_bytes(), dict(stamped.roots)
    for name, damage in DAMAGE.items():
        report = stamped.fsck()
        assert (report.exit_code, report.counts["tokens"]) == (0, 1), f"before {name}"
        damage(stamped, path)
        assert "token" in {each.check for each in stamped.fsck().findings}, name
        shutil.rmtree(path.parents[1])
        path.parent.mkdir(parents=True)
        path.write_bytes(token)
        stamped.roots.update(roots)


def test_a_token_whose_record_is_on_its_way_is_no_fault(stamped: Stamped) -> None:
    """A worker that dies between keeping a token and recording it leaves the record to its successor."""
    stamped.act()
    stamped.witness()
    assert stamping.stamp_newest(stamped.runtime, stamped.runtime.authorities[1])
    (path,) = (stamped.tokens.root / "tst" / "1").iterdir()
    replaced(stamped, path, ago_ms=1)
    report = stamped.fsck()
    assert (report.exit_code, [each.check for each in report.unchecked]) == (2, ["token"])


def test_another_token_of_a_recorded_time_is_a_fault_at_once(stamped: Stamped) -> None:
    stamped.act()
    stamped.witness()
    assert stamping.stamp_newest(stamped.runtime, stamped.runtime.authorities[1])
    (path,) = (stamped.tokens.root / "tst" / "1").iterdir()
    replaced(stamped, path, ago_ms=0)
    assert [each.check for each in stamped.fsck().findings] == ["token"]


def test_without_roots_tokens_stay_unchecked(stamped: Stamped) -> None:
    stamped.act()
    stamped.witness()
    assert stamping.stamp_newest(stamped.runtime, stamped.runtime.authorities[1])
    assert stamped.world.fsck().exit_code == 2


def test_an_authority_that_is_none(stamped: Stamped, openssl: OpensslAuthority) -> None:
    request = make_request(b"x").data
    for status, kind in ((500, "application/timestamp-reply"), (200, "text/html")):
        front = openssl_front(openssl)
        front.status, front.kind = status, kind
        url = stamped.stack.enter_context(serving(front))
        with pytest.raises(AuthorityUnreachable, match=f"{status}, {kind}"):
            Authority(name=FIRST, url=url).ask(request)
    with pytest.raises(AuthorityUnreachable):
        stamped.runtime.authorities[0].ask(request, seconds=0.0001)


DRIPS = {
    "nothing": b"",
    "a hello of TLS": b"\x16\x03\x03\x40\x00\x02",
    "a header": b"HTTP/1.1 200 OK\r\nX-",
    "an answer": b"HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\n\r\n",
}


@pytest.mark.parametrize("beginning", DRIPS.values(), ids=DRIPS)
def test_an_authority_that_drips_holds_nobody(beginning: bytes) -> None:
    """Every byte comes within the time-out of a socket, and the whole never does."""
    begun = time.monotonic()
    with dripping(beginning) as url:
        for address in (url, url.replace("http:", "https:")):
            with pytest.raises(AuthorityUnreachable):
                Authority(name=FIRST, url=address).ask(b"x", seconds=0.2)
    assert time.monotonic() - begun < 2


def test_an_authority_over_tls(openssl: OpensslAuthority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    front = openssl_front(openssl)
    root = encrypt(front, tmp_path)
    request = make_request(b"x")
    with serving(front) as url:
        authority = Authority(name=FIRST, url=url.replace("http:", "https:"))
        with pytest.raises(AuthorityUnreachable, match="CERTIFICATE_VERIFY_FAILED"):
            authority.ask(request.data)
        monkeypatch.setenv("SSL_CERT_FILE", str(root))
        verify_stamp(authority.ask(request.data), b"x", (openssl.root,), nonce=request.nonce)
        elsewhere = Authority(name=FIRST, url=authority.url.replace("127.0.0.1", "localhost"))
        with pytest.raises(AuthorityUnreachable, match="CERTIFICATE_VERIFY_FAILED"):
            elsewhere.ask(request.data)


def test_an_authority_that_asks_for_a_password(
    stamped: Stamped, openssl: OpensslAuthority, caplog: pytest.LogCaptureFixture
) -> None:
    front = openssl_front(openssl)
    front.authorization = "Basic bWU6aGlkZGVuOuW8gA=="  # of "me:hidden:开"
    url = stamped.stack.enter_context(serving(front))
    stamped.act()
    stamped.witness()
    for credentials in (None, "me:wrong"):
        with pytest.raises(stamping.StampRefused, match="status 401") as refused:
            stamping.stamp_newest(stamped.runtime, Authority(name=FIRST, url=url, credentials=credentials))
        assert "wrong" not in f"{refused.value!r} {caplog.text}"
    assert stamping.stamp_newest(stamped.runtime, Authority(name=FIRST, url=url, credentials="me:hidden:开"))
