"""What runs in the browsers of this release: one list of all scripts, whose digest is in the log (F41, security 7.1).

No page holds a script of its own, for its policy forbids it: these files are all that can run in one. Somebody who is
served another file has, with the list and its receipt, the proof that it is not the one that was told to everybody.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from posixpath import dirname, normpath
from typing import Final

from sqlalchemy import Connection, select, text

from trading.audit import queries
from trading.audit.queries import LoggedRecord
from trading.audit.runtime import Runtime
from trading.audit.tables import audit_entry, log_position
from trading.kernel.canonical import dumps
from trading.kernel.digests import sha256, sha256_hex
from trading.kernel.encoding import b64
from trading.kernel.events import Event
from trading.kernel.roles import Actor

INSTALLED: Final = "release.installed"
SUBJECT: Final = "scripts"
TYP: Final = "mb.scripts"
_FOLDER: Final = Path(__file__).resolve().parents[2] / "static"
_RUN: Final = frozenset({".js", ".json"})  # tables of a script count as the script
#: Written as in the partial index audit_entry_release.
_INSTALLED: Final = text("audit_entry.kind = 'release.installed'")
_NEWEST: Final = (
    select(audit_entry.c.record, log_position.c.n)
    .outerjoin_from(audit_entry, log_position, log_position.c.entry_id == audit_entry.c.id)
    .where(_INSTALLED)
    .order_by(audit_entry.c.id.desc())
    .limit(1)
)
_IMPORT: Final = re.compile(r'^(?:import|export)\b[^"\n]*"(\.[^"]+)";$', re.MULTILINE)


@cache
def listed() -> bytes:
    """Return the list: every script below the folder of static files by its path, with its SHA-256 in hex."""
    found = {path.relative_to(_FOLDER).as_posix(): path for path in _FOLDER.rglob("*") if path.suffix in _RUN}
    files = [{"path": name, "sha256": sha256_hex(found[name].read_bytes())} for name in sorted(found)]
    return dumps({"files": files, "typ": TYP, "v": 1})


@cache
def digest() -> str:
    """Return the SHA-256 of the list in hex."""
    return sha256_hex(listed())


def told(list_sha256: str) -> str:
    """Return what the record of a release says of its scripts."""
    return f"scripts sha256:{list_sha256}"


@cache
def integrity(name: str) -> str:
    """Return what a page demands of a script before it runs (Subresource Integrity)."""
    return f"sha256-{b64(sha256((_FOLDER / name).read_bytes()))}"


@cache
def modules(name: str) -> tuple[str, ...]:
    """Return the names of a module and of all that it imports, so that a page can demand all of them."""
    found, waiting = {name}, [name]
    while waiting:
        at = waiting.pop()
        for told_name in _IMPORT.findall((_FOLDER / at).read_text(encoding="utf-8")):
            other = normpath(f"{dirname(at)}/{told_name}")
            if other not in found:
                found.add(other)
                waiting.append(other)
    return tuple(sorted(found))


def tell(runtime: Runtime) -> int:
    """Record the list of this release unless the log tells it already; return how many records that took.

    Two workers that look at once may both do so.

    A log that continues another one tells it again: its own checkpoints prove nothing about what the other holds.
    """
    with runtime.ledger.read() as conn:
        base = queries.current_log(conn).base
        newest = conn.execute(_NEWEST).one_or_none()
    is_here = newest is not None and (newest.n is None or newest.n >= base)
    if newest is not None and is_here and json.loads(newest.record)["body"]["what"] == told(digest()):
        return 0
    with runtime.ledger.begin(Actor.system("release")) as uow:
        uow.record(Event(kind=INSTALLED, subject=SUBJECT, body={"what": told(digest())}))
    return 1


def logged(conn: Connection) -> LoggedRecord | None:
    """Return the newest logged record of a release if it stands in this log and tells this very list."""
    found = queries.logged(conn, _INSTALLED, 1, newest=True)
    if not found or found[0].n < queries.current_log(conn).base:
        return None
    return found[0] if found[0].data["body"]["what"] == told(digest()) else None
