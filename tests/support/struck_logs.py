"""One round of the campaign against the log: a life that is struck, what it leaves, and the next start.

A round returns what is wrong, in words; an honest product leaves nothing. The states a life begins with are made once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sqlalchemy import make_url

from tests.support.disk import Disk
from tests.support.lives import Ended, live
from tests.support.logs import Killed, LogWorld, kill_at
from tests.support.polling import eventually
from tests.support.rewinding import Rewindable
from tests.support.syscalls import Call, Site, Strike, Watcher, sites
from tests.support.writing_lives import (
    COVER,
    QUIET,
    REFUSED,
    LogPlace,
    Variant,
    begin,
    log_everything,
    log_more,
    publish_everything,
    witness_everything,
)
from trading.audit.rules.note import parse_checkpoint_text, parse_note
from trading.audit.rules.tiles import TiledNodes, file_reader, parse_bundle
from trading.audit.rules.tree import leaf_hash, range_root, root_of_hashes
from trading.audit.sequencer.loop import Options
from trading.kernel.errors import MingbiaoError
from trading.storage.tiles import CHECKPOINT, PUBLIC, RATE, WITNESSED, TileStore
from trading.storage.wal import SEGMENT_BYTES, encode_frame, read_frames

ENTRIES: Final = 258  # two more than a tile
GROWN: Final = 254  # logged in two batches
TORN: Final = 3
PUBLISHED: Final = ENTRIES - ENTRIES % COVER.quantum  # where the public head comes to


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What a life begins with, and which of its threads is watched."""

    state: str
    life: Callable[..., None] = log_everything
    segment_bytes: int = SEGMENT_BYTES  # of the write-ahead log


SCENARIOS: Final = {
    "first": Scenario(state="nothing"),
    "growing": Scenario(state="grown", life=log_more, segment_bytes=30_000),  # the third batch begins a new one
    "adopting": Scenario(state="torn", life=begin),
    "witnessing": Scenario(state="nothing", life=witness_everything),
    "publishing": Scenario(state="logged", life=publish_everything),
}


class StruckLog:
    """A log whose sequencers are struck."""

    def __init__(self, world: LogWorld, watcher: Watcher, folder: Path) -> None:
        """Begin with a world in which ``ENTRIES`` entries wait and whose clock stands, so that states agree."""
        self._world = world
        self._watcher = watcher
        self._rewindable = Rewindable(world, folder)
        url = make_url(world.database.url("trading_sequencer")).set(drivername="postgresql")
        self._place = LogPlace(
            conninfo=url.render_as_string(hide_password=False),
            log_dir=world.log_dir,
            origin=world.database.origin,
            policy=world.policy_text,
            now_ms=world.clock.now_ms(),
            size=ENTRIES,
        )
        self._sites: dict[str, list[Site]] = {}
        self._committed = world.commitments()
        assert len(self._committed) == ENTRIES
        self._make_states()

    def _make_states(self) -> None:
        self._rewindable.keep("nothing")
        with self._world.sequencer(options=Options(batch=GROWN // 2)) as sequencer:
            sequencer.start()
            sequencer.step()
            sequencer.step()
        self._rewindable.keep("grown")
        self._rewindable.rewind("nothing")
        options = Options(batch=TORN)
        with self._world.sequencer(hook=kill_at("B4", times=2), options=options) as sequencer:
            sequencer.start()
            sequencer.step()
            with suppress(Killed):
                sequencer.step()
        (segment,) = (self._world.log_dir / "wal").glob("*.wal")  # its second frame lies beyond the head, to be adopted
        with segment.open("ab") as file:
            file.write(encode_frame(2 * TORN, 1, b"torn")[:-1])
        self._rewindable.keep("torn")
        self._rewindable.rewind("nothing")
        assert self._plain_restart() == []
        self._rewindable.keep("logged")

    def sites(self, name: str) -> list[Site]:
        """Return the calls at which lives can be struck, counted in one that passes without a fault."""
        if name not in self._sites:
            scenario = SCENARIOS[name]
            self._rewindable.rewind(scenario.state)
            ended = self._live(scenario, None)
            assert ended.code == 0
            self._sites[name] = sites(ended.calls, self._world.log_dir)
        return self._sites[name]

    def round(self, name: str, strike: Strike | None, variant: Variant | None = None) -> list[str]:
        """Return what is wrong after a life that was struck, and after the next one, which is not."""
        scenario = SCENARIOS[name]
        self._rewindable.rewind(scenario.state)
        disk = Disk(self._world.log_dir)
        ended = self._live(scenario, strike, variant)
        wrong = disk.take(ended.calls, self._promise)
        disk.look()
        if strike is not None:
            wrong += wrong_end(ended, strike)
        wrong += self._wrong_signatures()
        if scenario.life is publish_everything:
            wrong += wrong_public(self._world.tiles.root / PUBLIC) + self._publish(disk)
        return wrong + self._restart(disk)

    def close(self) -> None:
        self._rewindable.close()

    def _live(self, scenario: Scenario, strike: Strike | None, variant: Variant | None = None) -> Ended:
        place = replace(self._place, segment_bytes=scenario.segment_bytes)
        return live(self._watcher, strike, scenario.life, place, variant)

    def _promise(self, call: Call) -> list[Path]:
        """Return what must be safe when a checkpoint is published, here or for all, and when its cosignatures are."""
        log_dir = self._world.log_dir
        if call.name.startswith("rename") and Path(call.paths[-1]) == log_dir / "tiles" / "checkpoint":
            return [*(log_dir / "wal").glob("*.wal"), log_dir / "head" / "head.json"]
        if call.name.startswith("rename") and Path(call.paths[-1]) == log_dir / "tiles" / "witnessed":
            return list((log_dir / "tiles" / "checkpoints").glob("*-first"))
        public = log_dir / "tiles" / PUBLIC
        if call.name.startswith("rename") and Path(call.paths[-1]) == public / CHECKPOINT:
            return [public / RATE, *(path for path in (public / "tile").rglob("*") if path.is_file())]
        return []

    def _wrong_signatures(self) -> list[str]:
        """Compare what was signed, and what witnesses have seen, with the entries that are there."""
        hashes = []
        for frame in read_frames(self._world.log_dir / "wal"):
            hashes += [leaf_hash(entry) for entry in parse_bundle(frame.payload, frame.count)]
        signed = [(witness.seen.size, witness.seen.root) for witness in self._world.witnesses]
        tiles = self._world.tiles
        for path in (CHECKPOINT, WITNESSED, *(path for _, path in tiles.notes())):
            if (data := tiles.read(path)) is not None:
                checkpoint = parse_checkpoint_text(parse_note(data).text)
                signed.append((checkpoint.size, checkpoint.root))
        return [
            f"a checkpoint of size {size} was signed without its entries"
            for size, root in signed
            if size > len(hashes) or root_of_hashes(hashes[:size]) != root
        ]

    def _publish(self, disk: Disk) -> list[str]:
        """Publish everything, as the next start does, and return what is wrong then."""
        ended = live(self._watcher, None, publish_everything, self._place)
        folder = self._world.tiles.root / PUBLIC
        wrong = disk.take(ended.calls, self._promise) + wrong_public(folder)
        wrong += [f"{path} was left behind" for path in folder.rglob(".*.*")]
        head = TileStore(folder).read(CHECKPOINT)
        if head is None or parse_checkpoint_text(parse_note(head).text).size != PUBLISHED:
            wrong.append("the public head does not come to its end")
        return wrong

    def _restart(self, disk: Disk) -> list[str]:
        """Log everything without a fault, as the next start does, and return what is wrong then."""
        wrong = self._watched_restart(disk) if disk.doubts else self._plain_restart()
        if wrong:
            return wrong
        wrong += self._wrong_signatures()
        wrong += [f"fsck: {each}" for each in self._world.fsck().findings]
        if self._world.log_order() != self._committed:
            wrong.append("the order of the log is not that of the acknowledged entries")
        if any(witness.has_seen_fraud for witness in self._world.witnesses):
            wrong.append("a witness was shown another history")
        wrong += [f"{path} was left behind" for path in self._world.log_dir.rglob(".*.*")]
        return wrong

    def _watched_restart(self, disk: Disk) -> list[str]:
        """Start in a life of its own: not everything that was written is safe, and it must not build on that."""
        ended = live(self._watcher, None, log_everything, self._place)
        return disk.take(ended.calls, self._promise) + (
            [f"it does not start again: {ended.code}"] if ended.code else []
        )

    def _plain_restart(self) -> list[str]:
        with self._world.sequencer(options=QUIET) as sequencer:
            try:
                sequencer.start()
            except (MingbiaoError, OSError) as error:
                return [f"it does not start again: {error!r}"]
            sequencer.step()
            eventually(lambda: self._world.tiles.first_witnessed(ENTRIES))
        return []


def wrong_public(folder: Path) -> list[str]:
    """Return why what the public sees is not whole: a checkpoint without its tiles, or with others."""
    tiles = TileStore(folder)
    if (note := tiles.read(CHECKPOINT)) is None:
        return []
    checkpoint = parse_checkpoint_text(parse_note(note).text)
    nodes = TiledNodes(checkpoint.size, file_reader(tiles.read, wider=tiles.read_wider))
    try:
        root = range_root(0, checkpoint.size, nodes)
    except (MingbiaoError, ValueError) as error:
        return [f"a public checkpoint of size {checkpoint.size} is visible without its tiles: {error}"]
    return [] if root == checkpoint.root else [f"the public tiles have another root at size {checkpoint.size}"]


def wrong_end(ended: Ended, strike: Strike) -> list[str]:
    """Return what is wrong with the way in which a life ended that was to be struck."""
    if missed := strike.missed(ended.calls):
        return missed
    if strike.fault == "KILL":
        return [] if ended.was_killed else [f"it ended with {ended.code} and not by a signal"]
    if ended.code == 0 and _may_fail(strike.site.call):
        return []
    return [] if ended.code == REFUSED else [f"it ended with {ended.code} after {strike.fault}"]


def _may_fail(call: Call) -> bool:
    """Return whether the log can go on: partial tiles that a full one replaces are only in the way."""
    return call.name in {"unlink", "unlinkat", "rmdir"} and any(".p" in path for path in call.paths)
