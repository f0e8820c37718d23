"""The part of ``mingbiao fsck`` that is about time stamps: tokens ↔ checkpoints ↔ records (TE1 T8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from trading.audit import queries, service
from trading.audit.model import Report
from trading.audit.rules.stamps import stamped_text
from trading.crypto.stamps import verify_stamp
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import InvalidInput
from trading.storage.tiles import TileStore
from trading.storage.tokens import TokenName, TokenStore


def check_tokens(conn: Connection, tiles: TileStore, roots: Mapping[str, Sequence[bytes]], report: Report) -> None:
    """Verify every token over the checkpoint of its size, up to the report's, and that the log holds its hash.

    ``roots`` are the certificates (DER) of the authorities in the trust file, by name.
    """
    tokens = TokenStore(tiles.root)
    names = list(tokens.within(0, report.size))
    if names and not roots:
        report.skip("token", names[0].path, "and all others: no trust file names the root of an authority")
        return
    anchored = queries.anchored_tokens(conn) if names else {}
    for name in names:
        token = tokens.read(name) or b""
        report.count("tokens")
        try:
            _verify(name, token, tiles.first_witnessed(name.size), roots)
        except InvalidInput as error:
            report.fault("token", name.path, str(error))
            continue
        recorded = anchored.get((name.tsa, name.size, name.gen_time))
        if recorded is None:
            report.late(service.platform_ms(conn) - name.gen_time, "token", name.path, "no tst.anchored names it")
        elif recorded != sha256_hex(token):
            report.fault("token", name.path, "tst.anchored names another token of this time")


def _verify(name: TokenName, token: bytes, note: bytes | None, roots: Mapping[str, Sequence[bytes]]) -> None:
    if note is None:
        raise InvalidInput("stamp.imprint", "no checkpoint of this size was kept")
    stamp = verify_stamp(token, stamped_text(note), roots.get(name.tsa, ()))
    if stamp.gen_time != name.gen_time:
        raise InvalidInput("stamp.imprint", f"its genTime is {stamp.gen_time}")
