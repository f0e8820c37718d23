"""One SQLite file in which a program of an institution keeps what it must never forget, and answers only once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Self

from trading.kernel.errors import Conflict, IntegrityFailure

_BUSY_S = 10.0


class Memory:
    """The open file. Every method of a memory is one transaction unless it runs inside ``transaction()``."""

    FILE: ClassVar[str]
    SCHEMA: ClassVar[str]
    ONE_THREAD: ClassVar[bool] = True  # whether only the thread that opened it may use it

    def __init__(self, directory: Path) -> None:
        """Open the memory in ``directory``.

        Raises:
            IntegrityFailure: It is missing.
        """
        path = directory / self.FILE
        if not path.exists():
            raise IntegrityFailure(f"{path} is missing: never begin again with an empty memory")
        self._db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=self.ONE_THREAD)
        self._db.execute("PRAGMA synchronous = FULL")
        # A destroyed secret must not linger in a free page.
        self._db.execute("PRAGMA secure_delete = ON")

    @classmethod
    def create(cls, directory: Path) -> Self:
        """Make a new memory in ``directory`` and open it.

        Raises:
            Conflict: There is one already.
        """
        path = directory / cls.FILE
        if path.exists():
            raise Conflict(f"{path} exists")
        path.touch(mode=0o600)
        with sqlite3.connect(path) as made:
            made.executescript(f"BEGIN; {cls.SCHEMA} COMMIT;")
        made.close()
        return cls(directory)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the write lock for the block: what is decided in it and what it stores belong together."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
