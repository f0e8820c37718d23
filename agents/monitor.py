"""``mingbiao monitor``: whoever runs it now and then will notice if the public log is rewritten (AL1 L0, L9).

It remembers the newest checkpoint that it accepted, and accepts the next one only if the log that it saw is the
beginning of the log it is shown now: it recomputes both roots from the tiles that the platform serves. What contradicts
is kept as evidence, because two notes of one key over two histories prove the fraud to everybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from agents.http import Refused, Unreachable, call, require_base
from agents.words import Stopped, Unfinished, say
from trading.audit.rules.note import Checkpoint, VerifierKey, parse_vkey, verify_checkpoint
from trading.audit.rules.proof import parse_receipt
from trading.audit.rules.record import parse_record
from trading.audit.rules.tiles import TiledNodes, file_reader
from trading.audit.rules.tree import leaf_hash, range_root, verify_inclusion
from trading.crypto.notes import verify_note_signature
from trading.kernel.clock import SystemClock
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import IntegrityFailure, InvalidInput
from trading.storage.durable import make_directory, replace_file

NEWEST: Final = "checkpoint"
EVIDENCE: Final = "evidence"
_CONTINUED: Final = "continued"
_LIMIT: Final = 1024 * 1024  # bytes of one file of the log
_QUIET_S: Final = 1_800


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A checkpoint whose log continues the one before; ``before`` is its size, None at the first time."""

    checkpoint: Checkpoint
    before: int | None


class Rewritten(IntegrityFailure):
    """Two checkpoints of one key that are not of one history. ``kept`` is where both lie."""

    def __init__(self, what: str, kept: Path) -> None:
        super().__init__(what)
        self.kept = kept


class Monitor:
    """One log as one reader remembers it in a directory."""

    def __init__(self, base: str, key: VerifierKey, directory: Path) -> None:
        """Remember below ``directory``; ``base`` is the address under which the log's files lie."""
        self._base = require_base(base)
        self._key = key
        self._directory = directory
        self._read = file_reader(self._fetch_or_none)

    def look(self, other: bytes | None = None) -> Accepted:
        """Fetch the newest checkpoint and compare it with what is remembered; remember it.

        Args:
            other: A note that somebody else has kept, to be compared too.

        Raises:
            Rewritten: The log that was shown before is not the beginning of this one.
            InvalidInput: ``note.…``, ``checkpoint.…`` or ``tile.…``: what is served is not a log of this key.
            Unreachable, Refused: The platform does not serve it.
        """
        note = self._fetch(NEWEST)
        checkpoint = self._verified(note)
        path = self._directory / NEWEST
        kept = [each for each in (path.read_bytes() if path.exists() else None, other) if each is not None]
        known = [(each, self._verified(each)) for each in kept]
        before = known[0][1].size if path.exists() else None
        self._require_same_history(known, note, checkpoint)
        make_directory(self._directory)
        if before is None or checkpoint.size > before:
            replace_file(path, note, durable=True)
        return Accepted(checkpoint=checkpoint, before=before)

    def look_back(self, accepted: Checkpoint, closed: VerifierKey, remembered: Path) -> Checkpoint:
        """Check that this log continues the closed one where that ended, and return its final checkpoint (AL1 L13).

        Args:
            accepted: What ``look`` has returned.
            closed: Key of the closed log.
            remembered: The directory in which it was watched.

        Raises:
            Rewritten: Entries that were shown of the closed log do not stand below its final checkpoint.
            InvalidInput: ``monitor.not_continued``, or what is served is no proof of it.
            Unreachable, Refused: The platform does not serve it.
        """
        receipt = parse_receipt(self._fetch(_CONTINUED))
        shown = self._verified(receipt.checkpoint)
        verify_inclusion(receipt.entry.n, shown.size, leaf_hash(receipt.entry.encode()), receipt.path, shown.root)
        if (
            shown.size <= accepted.size
            and range_root(0, shown.size, TiledNodes(accepted.size, self._read)) != shown.root
        ):
            kept = (self._directory / NEWEST).read_bytes()
            raise self._rewritten("the log begins otherwise than it is shown to", kept, receipt.checkpoint)
        record = parse_record(receipt.record)
        told = (receipt.entry.n, record["kind"], record["body"].get("old_origin"))
        if told != (0, "log.continued", closed.name):
            raise InvalidInput("monitor.not_continued", f"the log does not begin as the continuation of {closed.name}")
        note = str(record["body"]["old_checkpoint"]).encode()
        old = Monitor(f"{self._base}/before", closed, remembered)
        final = old._verified(note)
        path = remembered / NEWEST
        if path.exists():
            kept = path.read_bytes()
            old._require_same_history([(kept, old._verified(kept))], note, final)
        return final

    def quiet_s(self) -> float:
        """Return for how many seconds the remembered checkpoint has been the newest."""
        return SystemClock().now_ms() / 1000 - (self._directory / NEWEST).stat().st_mtime

    def _verified(self, note: bytes) -> Checkpoint:
        return verify_checkpoint(note, self._key.name, (self._key,), (), verify_note_signature).checkpoint

    def _require_same_history(self, known: list[tuple[bytes, Checkpoint]], note: bytes, shown: Checkpoint) -> None:
        """Compare the roots of smaller sizes, recomputed within the larger log; what needs no tile is told first."""
        for kept, old in known:
            if old.size > shown.size:
                raise self._rewritten(f"the log had {old.size} entries and is shown with {shown.size} now", kept, note)
            if old.size == shown.size and old.root != shown.root:
                raise self._rewritten(f"two histories of {old.size} entries were shown", kept, note)
        nodes = TiledNodes(shown.size, self._read)
        if known and nodes.root() != shown.root:
            raise InvalidInput("tile.malformed", f"the tiles do not lead to the root at size {shown.size}")
        for kept, old in known:
            if range_root(0, old.size, nodes) != old.root:
                raise self._rewritten(f"the first {old.size} entries are not those that were shown before", kept, note)

    def _rewritten(self, what: str, kept: bytes, note: bytes) -> Rewritten:
        folder = self._directory / EVIDENCE / sha256_hex(kept + note)[:16]
        make_directory(folder)
        replace_file(folder / "before", kept, durable=True)
        replace_file(folder / "now", note, durable=True)
        return Rewritten(what, folder)

    def _fetch(self, path: str) -> bytes:
        return call("GET", f"{self._base}/{path}", authorization="", limit=_LIMIT).body

    def _fetch_or_none(self, path: str) -> bytes | None:
        try:
            return self._fetch(path)
        except Refused:
            return None


@click.command("monitor")
@click.argument("address")
@click.option("--key", "vkey", required=True, help="The log's verifier key, from the supervisor's trust file.")
@click.option(
    "--state", required=True, type=click.Path(file_okay=False, path_type=Path), help="Where to remember what was seen."
)
@click.option(
    "--against", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A checkpoint somebody else kept."
)
@click.option(
    "--before",
    nargs=2,
    metavar="VKEY DIRECTORY",
    help="A closed log that this one continues: its key, and the --state with which it was watched.",
)
@click.option("--quiet-s", default=_QUIET_S, show_default=True, help="Report a log that has stood still for so long.")
def main(
    address: str, vkey: str, state: Path, against: Path | None, before: tuple[str, str] | None, quiet_s: int
) -> None:
    """监看公开日志: see that the public log only grows; for cron.

    ADDRESS is that of the log, such as https://ggzy.example/log. Exit 0: it only grew. 1: it was rewritten; both
    checkpoints are kept. 2: it could not be seen, or has stood still.
    """
    try:
        monitor = Monitor(address, parse_vkey(vkey), state)
        seen = monitor.look(None if against is None else against.read_bytes())
        if before is not None:
            closed = parse_vkey(before[0])
            final = monitor.look_back(seen.checkpoint, closed, Path(before[1]))
            say(f"续接 {closed.name} 的 {final.size} 条", f"it continues the {final.size} entries of {closed.name}")
    except Rewritten as fraud:
        raise Stopped(
            f"日志被改写：{fraud}。两份签名的检查点保存在 {fraud.kept}，请交给监管部门和见证方",
            f"the log was rewritten: {fraud}. Both signed checkpoints are in {fraud.kept}: show them to supervisor and"
            " witnesses",
        ) from fraud
    except (InvalidInput, Unreachable, Refused) as error:
        raise Unfinished(f"没有看到日志：{error}", f"the log could not be seen: {error}") from error
    size, stood = seen.checkpoint.size, round(monitor.quiet_s())
    if seen.before == size and stood > quiet_s:
        raise Unfinished(f"日志已有 {stood} 秒没有增长", f"the log has stood still for {stood} s")
    last = 0 if seen.before is None else seen.before
    say(f"日志只增不改：{size} 条，上次 {last} 条", f"the log only grew: {size} entries, {last} last time")
