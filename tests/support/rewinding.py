"""A log that goes back to a state it was kept in, with its database and witnesses, as often as a campaign likes."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from tests.support.logs import LogWorld


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """A state: the log's files, the number of positions, what each witness remembers."""

    files: Path
    size: int
    memories: list[sqlite3.Connection]


class Rewindable:
    """A world whose entries are all committed; how many of them are logged is what is kept and rewound."""

    def __init__(self, world: LogWorld, folder: Path) -> None:
        self.world = world
        self._folder = folder
        self._kept: dict[str, _Kept] = {}

    def keep(self, name: str) -> None:
        """Remember the present state, of which no sequencer is in the middle."""
        memories = []
        for witness in self.world.witnesses:
            memory = sqlite3.connect(":memory:")
            witness._state._db.backup(memory)
            memories.append(memory)
        with self.world.database.connect() as superuser:
            counted = superuser.exec_driver_sql("SELECT count(*) FROM log.log_position")
            kept = _Kept(files=self._folder / name, size=counted.scalar_one(), memories=memories)
        self.world.log_dir.mkdir(exist_ok=True)
        self.world.copy_log(kept.files)
        self._kept[name] = kept

    def rewind(self, name: str) -> None:
        """Return to a state: files, memories of the witnesses, positions and queue."""
        kept = self._kept[name]
        self.world.restore_log(kept.files)
        for witness, memory in zip(self.world.witnesses, kept.memories, strict=True):
            memory.backup(witness._state._db)
        with self.world.database.connect() as superuser:
            superuser.exec_driver_sql("ALTER TABLE log.log_position DISABLE TRIGGER USER")
            superuser.exec_driver_sql("DELETE FROM log.log_position WHERE n >= %s", (kept.size,))
            superuser.exec_driver_sql("ALTER TABLE log.log_position ENABLE ALWAYS TRIGGER c_frozen")
            superuser.exec_driver_sql("TRUNCATE log.audit_queue")
            superuser.exec_driver_sql(
                "INSERT INTO log.audit_queue SELECT id FROM log.audit_entry e"
                " WHERE NOT EXISTS (SELECT FROM log.log_position p WHERE p.entry_id = e.id)"
            )

    def close(self) -> None:
        for kept in self._kept.values():
            for memory in kept.memories:
                memory.close()
