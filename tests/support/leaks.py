"""Looks for planted secrets in everything that a platform keeps: files, database, Valkey; in every usual spelling.

A needle is found as it is, in hexadecimal, in base64 at any alignment, escaped as JSON, URLs and mail headers do, in
the national encoding; columns of bytes are searched decoded, compressed job data unpacked. What is found is named by
place, so that a control can be exact.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from redis import Redis
from sqlalchemy import NullPool, create_engine

from trading.db import psycopg_url
from trading.embedded.engines import choose_engine
from trading.embedded.postgres import SUPERUSER
from trading.up import Platform
from trading.up.servers import DATABASE

_BYTEA: Final = re.compile(rb"\\\\x((?:[0-9a-f]{2})+)")
_RELATIONS: Final = """
    SELECT c.oid::regclass::text FROM pg_class c
     WHERE c.relkind IN ('r', 'p', 'm', 'S') AND c.relpersistence = 'p' ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Place:
    """One thing that is kept: where, and its bytes. ``is_raw`` says that only the needle as it is makes sense there."""

    name: str
    data: bytes
    is_raw: bool = False


def amounts(total: int) -> set[str]:
    """Return how people and programs write an amount of ``total`` fen."""
    yuan, fen = divmod(total, 100)
    separated = {f"{yuan:,}".replace(",", separator) for separator in ",_ \u00a0\u202f'"}
    return {str(total), str(yuan), f"{yuan}.{fen:02d}", f"{total:,}", *separated}


def spellings(needle: str | bytes) -> set[bytes]:
    """Return the encodings under which a needle may lie in text."""
    if isinstance(needle, bytes):
        return _packed(needle)
    national = needle.encode("gb18030")  # what holds GBK holds the same bytes
    escaped = json.dumps(needle)[1:-1]
    return {
        *_packed(needle.encode()),
        *_packed(national),
        *(each.encode() for each in (escaped, escaped.upper().replace("\\U", "\\u"), quote(needle))),
        *(quote(needle).lower().encode(), quote(national).encode(), needle.encode("utf-16-le")),
        quote(needle).replace("%", "=").encode(),  # quoted-printable: bodies of mails, and words of their headers
        "".join(each if each.isascii() else f"&#{ord(each)};" for each in needle).encode(),
    }


def _packed(raw: bytes) -> set[bytes]:
    """Return bytes as they are, in hexadecimal, in base64 at any alignment."""
    found = {raw, raw.hex().encode(), raw.hex().upper().encode()}
    for skipped in range(3):
        # Only characters that depend on nothing but the needle: the neighbours decide the first and last ones.
        text = base64.b64encode(bytes(skipped) + raw)[(0, 2, 3)[skipped] :].rstrip(b"=")
        whole = text if (skipped + len(raw)) % 3 == 0 else text[:-1]
        found |= {whole, whole.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def search(places: Iterable[Place], needles: Mapping[str, str | bytes]) -> dict[str, set[str]]:
    """Return the places in which each needle is found, by needle; a needle that is nowhere is left out."""
    every = {name: spellings(needle) for name, needle in needles.items()}
    plain = {name: needle.encode() if isinstance(needle, str) else needle for name, needle in needles.items()}
    known: dict[tuple[bool, bytes], tuple[str, ...]] = {}  # many are answered the same
    found: dict[str, set[str]] = {}
    for place in places:
        alike = place.is_raw, hashlib.sha256(place.data).digest()
        if alike not in known:
            wanted = {name: {plain[name]} if place.is_raw else every[name] for name in needles}
            known[alike] = tuple(n for n, each in wanted.items() if any(spelling in place.data for spelling in each))
        for name in known[alike]:
            found.setdefault(name, set()).add(place.name)
    return found


def everything(platform: Platform) -> Iterator[Place]:
    """Yield all that the platform in this ``DATA_DIR`` keeps."""
    yield from files(platform.data_dir)
    yield from tables(platform)
    yield dump(platform)
    yield from doorbell(platform)


def files(folder: Path) -> Iterator[Place]:
    """Yield every file: objects, tiles, write-ahead log, notes, log files, and the servers' own files as they are."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = str(path.relative_to(folder))
            yield Place(name, path.read_bytes(), is_raw=name.startswith("postgres/"))


def tables(platform: Platform) -> Iterator[Place]:
    """Yield the rows of every table of every schema as text, those of the system too, and their bytes decoded."""
    with create_engine(psycopg_url(superuser(platform)), poolclass=NullPool).connect() as connection:
        names = list(connection.exec_driver_sql(_RELATIONS).scalars())
        cursor = connection.connection.cursor()
        for name in (*names, "(SELECT * FROM pg_stat_activity)"):
            with cursor.copy(f"COPY {name} TO STDOUT" if name[0] == "(" else f"COPY (TABLE {name}) TO STDOUT") as rows:
                text = b"".join(bytes(row) for row in rows)
            yield Place(f"table {name}", text)
            yield Place(f"table {name}", b"\n".join(bytes.fromhex(run.decode()) for run in _BYTEA.findall(text)))


def dump(platform: Platform) -> Place:
    """Return what ``pg_dump`` writes: rows, functions, comments."""
    assert platform.postgres is not None
    program = choose_engine(platform.postgres.home / "data").program("pg_dump")
    url = psycopg_url(superuser(platform)).set(drivername="postgresql").render_as_string(hide_password=False)
    done = subprocess.run([program, "--dbname", url], capture_output=True, check=True)
    return Place("pg_dump", done.stdout)


def doorbell(platform: Platform) -> Iterator[Place]:
    """Yield every key of Valkey with its value, packed values also unpacked."""
    assert platform.valkey is not None
    with Redis.from_url(platform.valkey.url) as client:
        for key in client.scan_iter():
            yield Place(f"key {key.decode()}", key + b"\n" + b"\n".join(_values(client, key)))


def _values(client: Redis, key: bytes) -> Iterator[bytes]:
    for part in _parts(client, key):
        yield part
        try:
            yield zlib.decompress(part)
        except zlib.error:
            continue


def _parts(client: Redis, key: bytes) -> list[bytes]:
    kind = client.type(key)
    match kind:
        case b"string":
            found: Any = [client.get(key)]
        case b"hash":
            found = client.hgetall(key).items()
        case b"list":
            found = client.lrange(key, 0, -1)
        case b"set":
            found = client.smembers(key)
        case b"zset":
            found = client.zrange(key, 0, -1)
        case b"stream":
            found = client.xrange(key)
        case _:
            raise AssertionError(f"a key of type {kind!r}")
    return list(_flat(found))


def _flat(value: Any) -> Iterator[bytes]:  # noqa: ANN401 - whatever the client returns
    """Yield the texts in a value of any shape; the client packs each type in a way of its own."""
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict):
        yield from _flat(value.items())
    elif value is not None:
        for each in value:
            yield from _flat(each)


def superuser(platform: Platform) -> str:
    """Return the address of the database for one who may read everything."""
    assert platform.postgres is not None
    return platform.postgres.url(SUPERUSER, DATABASE)
