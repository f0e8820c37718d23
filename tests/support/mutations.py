"""What somebody with the machine's own keys may do to a log and its database: one row or one file at a time.

Each mutation says where the first finding must point. A new victim is one more of them in ``ROWS`` or ``FILES``, from
which the campaign draws by a seed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, NullPool, create_engine

from tests.campaigns.test_tamper import Dice, flip
from tests.support.databases import Database
from trading.audit.fsck import Fsck
from trading.audit.rules.policy import Policy
from trading.audit.rules.tiles import parse_tile_path
from trading.db import psycopg_url

_LOG_TABLES: Final = ("audit_entry", "log_position", "audit_queue")


@dataclass
class DeadLog:
    """A log nobody writes to any more; ``conn`` is a superuser's transaction in which no trigger fires."""

    conn: Connection
    log_dir: Path
    origin: str
    policy: Policy

    def fsck(self) -> list[str]:
        """Return the findings of ``fsck`` in its order, as ``check place``, and what it could not check."""
        report = Fsck(self.conn, self.log_dir, self.origin, self.policy, {}).run()
        return [f"{each.check} {each.place}" for each in (*report.findings, *report.unchecked)]

    def value(self, statement: str, *values: object) -> object:
        """Return the one value of a query."""
        return self.conn.exec_driver_sql(statement, values).scalar_one()

    @property
    def size(self) -> int:
        found = self.value("SELECT count(*) FROM log.log_position")
        assert isinstance(found, int)
        return found

    def files(self) -> list[str]:
        """Return the evidence among the log's files; ``public/`` is a copy that readers check themselves."""
        found = (path for path in self.log_dir.rglob("*") if path.is_file())
        names = (path.relative_to(self.log_dir).as_posix() for path in found)
        return sorted(name for name in names if name.startswith(_EVIDENCE) and "/public/" not in name)


_EVIDENCE: Final = ("wal/", "tiles/", "head/head.json")


@contextmanager
def owner_of_log(database: Database) -> Iterator[Connection]:
    """Yield a superuser's transaction in which no trigger fires; whatever happens in it is rolled back."""
    engine = create_engine(psycopg_url(database.url("postgres")), poolclass=NullPool)
    with engine.connect() as conn:
        conn.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for table in _LOG_TABLES:
            conn.exec_driver_sql(f"ALTER TABLE log.{table} DISABLE TRIGGER ALL")
        yield conn
        conn.rollback()


#: Changes one thing and returns the places of which the first finding must name one.
Mutation = Callable[[DeadLog, Dice], tuple[str, ...]]

_OTHER_BYTES = "set_byte({0}, {1}, get_byte({0}, {1}) # {2})"


def _changed(log: DeadLog, n: int, column: str, dice: Dice, *, length: int) -> None:
    """Flip one bit of a column of the entry at ``n``."""
    changed = _OTHER_BYTES.format(column, dice.below(length), 1 << dice.below(8))
    log.conn.exec_driver_sql(
        f"UPDATE log.audit_entry SET {column} = {changed} WHERE id = {_ID}",  # noqa: S608 - names of this file
        (n,),
    )


_ID: Final = "(SELECT entry_id FROM log.log_position WHERE n = %s)"


def bit_of_a_record(log: DeadLog, dice: Dice) -> tuple[str, ...]:
    n = dice.below(log.size)
    length = log.value(f"SELECT octet_length(record) FROM log.audit_entry WHERE id = {_ID}", n)  # noqa: S608
    assert isinstance(length, int)
    _changed(log, n, "record", dice, length=length)
    return (f"record entry {n}",)


def bit_of_a_nonce(log: DeadLog, dice: Dice) -> tuple[str, ...]:
    n = dice.below(log.size)
    _changed(log, n, "nonce", dice, length=32)
    return (f"record entry {n}",)


def bit_of_a_commitment(log: DeadLog, dice: Dice) -> tuple[str, ...]:
    n = dice.below(log.size)
    _changed(log, n, "h", dice, length=32)
    return (f"position entry {n}",)


def records_swapped(log: DeadLog, dice: Dice) -> tuple[str, ...]:
    """Two entries change places in the database, whole."""
    first, second = _two(log, dice)
    held = [log.value("SELECT entry_id FROM log.log_position WHERE n = %s", n) for n in (first, second)]
    for n, entry in ((first, -1), (second, held[0]), (first, held[1])):  # an entry has one position at any time
        log.conn.exec_driver_sql("UPDATE log.log_position SET entry_id = %s WHERE n = %s", (entry, n))
    return (f"position entry {first}",)


def _two(log: DeadLog, dice: Dice) -> tuple[int, int]:
    first = dice.below(log.size - 1)
    return first, first + 1 + dice.below(log.size - 1 - first)


def clock_of_a_position(log: DeadLog, dice: Dice) -> tuple[str, ...]:
    n = dice.below(log.size)
    by = (1 + dice.below(1000)) * (1 if dice.below(2) else -1)
    log.conn.exec_driver_sql("UPDATE log.log_position SET t = t + %s WHERE n = %s", (by, n))
    return (f"position entry {n}",)


def link_of_a_position(log: DeadLog, dice: Dice) -> tuple[str, ...]:
    n = dice.below(log.size)
    changed = _OTHER_BYTES.format("p", dice.below(32), 1 << dice.below(8))
    log.conn.exec_driver_sql(f"UPDATE log.log_position SET p = {changed} WHERE n = %s", (n,))  # noqa: S608
    return (f"position entry {n}",)


def position_deleted(log: DeadLog, dice: Dice) -> tuple[str, ...]:
    n = dice.below(log.size)
    log.conn.exec_driver_sql("DELETE FROM log.log_position WHERE n = %s", (n,))
    return (f"position entry {n}",)


def entry_deleted(log: DeadLog, dice: Dice) -> tuple[str, ...]:
    n = dice.below(log.size)
    log.conn.exec_driver_sql(f"DELETE FROM log.audit_entry WHERE id = {_ID}", (n,))  # noqa: S608
    return (f"position entry {n}",)


def entry_queued_again(log: DeadLog, dice: Dice) -> tuple[str, ...]:
    n = dice.below(log.size)
    entry = log.value("SELECT entry_id FROM log.log_position WHERE n = %s", n)
    log.conn.exec_driver_sql("INSERT INTO log.audit_queue VALUES (%s)", (entry,))
    return (f"queue audit_entry {entry}",)


ROWS: Final[tuple[Mutation, ...]] = (
    bit_of_a_record,
    bit_of_a_nonce,
    bit_of_a_commitment,
    records_swapped,
    clock_of_a_position,
    link_of_a_position,
    position_deleted,
    entry_deleted,
    entry_queued_again,
)


# Files. What the finding must name is the file, as fsck writes its path, or the entry that cannot be read.


def bit_of_a_file(log: DeadLog, dice: Dice) -> tuple[str, ...]:
    name = dice.of(log.files())
    path = log.log_dir / name
    old = path.read_bytes()
    new = flip(old, dice)
    while _renames_a_witness(log.origin, old, new):
        new = flip(old, dice)
    path.write_bytes(new)
    return (_place(name),)


def _renames_a_witness(origin: str, old: bytes, new: bytes) -> bool:
    """Whether the bit lies in the name or key id of a cosignature.

    A line of an unknown key counts for nothing (AL1 L1.3), and keys of witnesses that were replaced are unknown today:
    so nobody can tell it from a foreign line, and the note stands as long as the others are a quorum.
    """
    at = next(at for at, byte in enumerate(old) if byte != new[at])
    start = old.rfind(b"\n", 0, at) + 1
    dash, _, rest = old[start:].partition(b" ")
    if dash != "\N{EM DASH}".encode() or rest.startswith(f"{origin} ".encode()):
        return False
    return start + len(dash) < at < start + len(dash) + 1 + rest.index(b" ") + 1 + _ID_LETTERS


_ID_LETTERS: Final = 6  # of base64, in which the four bytes of a key id end


def file_cut_short(log: DeadLog, dice: Dice) -> tuple[str, ...]:
    name = dice.of(log.files())
    path = log.log_dir / name
    data = path.read_bytes()
    path.write_bytes(data[: dice.below(len(data))])
    return (_place(name),)


def file_lengthened(log: DeadLog, dice: Dice) -> tuple[str, ...]:
    name = dice.of([each for each in log.files() if not each.startswith("wal/")])  # a torn tail is cut off at a start
    path = log.log_dir / name
    path.write_bytes(path.read_bytes() + bytes([dice.below(256)]))
    return (_place(name),)


def tile_removed(log: DeadLog, dice: Dice) -> tuple[str, ...]:
    """Not a narrower one of the same tile: readers of smaller checkpoints take the beginning of the wider then."""
    names = [each for each in log.files() if each.startswith("tiles/tile/")]
    widest = {
        each.partition(".p/")[0]: each for each in sorted(names, key=lambda name: parse_tile_path(name[6:]).width)
    }
    name = dice.of(sorted(widest.values()))
    (log.log_dir / name).unlink()
    return (_place(name),)


def files_swapped(log: DeadLog, dice: Dice) -> tuple[str, ...]:
    """Two tiles, or two notes, change places."""
    folder = dice.of(["tiles/tile/", "tiles/checkpoints/"])
    names = [each for each in log.files() if each.startswith(folder)]
    first = dice.of(names)
    data = (log.log_dir / first).read_bytes()
    others = [each for each in names if _says_other(log.log_dir / each, data)]
    second = dice.of(others)
    shutil.copy(log.log_dir / second, log.log_dir / first)
    (log.log_dir / second).write_bytes(data)
    return (_place(first), _place(second))


def _says_other(path: Path, data: bytes) -> bool:
    """Whether a tile differs, or a note is of another size: the later note of one size only adds times."""
    other = path.read_bytes()
    return other.split(b"\n")[1:2] != data.split(b"\n")[1:2] if b"\n" in data else other != data


FILES: Final[tuple[Mutation, ...]] = (bit_of_a_file, file_cut_short, file_lengthened, tile_removed, files_swapped)


def _place(name: str) -> str:
    if name.startswith("wal/"):
        return "wal entry"
    if name == "head/head.json":
        return "head.json"
    return name.removeprefix("tiles/")


@contextmanager
def undone(log: DeadLog) -> Iterator[None]:
    """Undo what is done to rows and files inside."""
    kept = {name: (log.log_dir / name).read_bytes() for name in log.files()}
    undo = log.conn.begin_nested()
    try:
        yield
    finally:
        undo.rollback()
        for name, data in kept.items():
            path = log.log_dir / name
            if not path.exists() or path.read_bytes() != data:
                path.write_bytes(data)
