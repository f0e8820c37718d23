"""Stamping of checkpoints by independent authorities: ask, verify, keep, and put the hash into the log (TE1 T8).

Everything may run twice. A token is kept before it is anchored; whoever stamps next anchors what a crash left behind.
What an authority did not stamp in time is not made up for: the newest checkpoint, stamped in its turn, covers it, and
a token always says when it was made.
"""

from __future__ import annotations

import logging
from itertools import islice
from typing import Final

from trading.audit import queries
from trading.audit.authorities import Authority, AuthorityUnreachable
from trading.audit.rules.bounds import FLOOR_MS, SECOND_MS
from trading.audit.rules.note import VerifiedCheckpoint
from trading.audit.rules.policy import Policy
from trading.audit.rules.proof import ReceiptState
from trading.audit.rules.stamps import ANCHOR, anchored, is_late, require_not_ahead, stamped_text
from trading.audit.runtime import Runtime
from trading.audit.service import LogReader, known_policy, reader, verified_of_any, witnessed
from trading.crypto.stamps import make_request, verify_stamp
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import InvalidInput
from trading.kernel.roles import Actor
from trading.storage.tokens import TokenName

_ACTOR: Final = Actor.system("worker")
_LOCK: Final = 0x6D62_7473  # whoever anchors looks and writes alone, so that no token is anchored twice
_UNSURE: Final = 8  # tokens that a worker may have kept without anchoring them before it died
_LOG: Final = logging.getLogger("mingbiao.stamping")


class StampRefused(Exception):
    """An authority did not answer, or what it answered is not to be kept. The text names it and says why."""


def stamp_newest(runtime: Runtime, authority: Authority) -> bool:
    """Stamp the newest witnessed checkpoint if the log has grown; return whether it was stamped.

    Entries that only anchor tokens are no growth, or an idle log would be stamped for ever.

    Raises:
        StampRefused: There is no token; the next round asks anew.
    """
    log = reader(runtime.log_dir)
    _anchor_left_behind(runtime, log, authority.name)
    note = witnessed(runtime, log)
    last = next((each.size for each in log.tokens.latest(authority.name)), 0)
    if note is None or note.own_size <= last:
        return False
    with runtime.ledger.read() as conn:
        if not queries.holds_besides(conn, log.base + last, note.size, ANCHOR):
            return False
    _stamp(runtime, log, authority, note.note, note.own_size)
    return True


def stamp_moment(runtime: Runtime, authority: Authority, n: int) -> bool:
    """Stamp the checkpoint that first contains entry ``n``; return False while it is not witnessed.

    Raises:
        StampRefused: There is no token; until the moment is missed it is worth asking again.
    """
    log = reader(runtime.log_dir).of(n)
    found = log.covering(n)
    if found is None or found[2] is not ReceiptState.WITNESSED:
        return False
    note, checkpoint, _ = found
    if any(each.tsa == authority.name for each in log.tokens.of_size(checkpoint.size)):
        _anchor_left_behind(runtime, log, authority.name)
        return True
    policy = known_policy(runtime.witness_policy)
    with runtime.ledger.read() as conn:
        now = runtime.ledger.platform_time(conn)
    if not is_late(_witnessed_at(verified_of_any(runtime, note, policy), policy), now):
        _stamp(runtime, log, authority, note, checkpoint.size)
    return True


def _witnessed_at(verified: VerifiedCheckpoint, policy: Policy) -> int:
    """Return when the quorum was met, ms; 0 for a note without one, which is not worth a stamp."""
    t_up = policy.t_up(verified.times)
    return 0 if t_up is None else SECOND_MS * t_up + FLOOR_MS


def _stamp(runtime: Runtime, log: LogReader, authority: Authority, note: bytes, size: int) -> None:
    text = stamped_text(note)
    request = make_request(text)
    try:
        answer = authority.ask(request.data)
        roots = runtime.authority_roots().get(authority.name, ())
        stamp = verify_stamp(answer, text, roots, nonce=request.nonce)
        with runtime.ledger.read() as conn:
            require_not_ahead(stamp.gen_time, runtime.ledger.platform_time(conn))
    except (AuthorityUnreachable, InvalidInput) as error:
        _LOG.error("no time stamp by %s: %s", authority.name, error)
        raise StampRefused(f"{authority.name}: {error}") from error
    name = TokenName(size=size, tsa=authority.name, gen_time=stamp.gen_time)
    _anchor(runtime, note, name, log.tokens.keep(name, answer))


def _anchor(runtime: Runtime, note: bytes, name: TokenName, token: bytes) -> None:
    with runtime.ledger.begin(_ACTOR) as uow:
        uow.connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        if not queries.is_anchored(uow.connection, sha256_hex(token)):
            uow.record(anchored(note, name.tsa, name.gen_time, token))


def _anchor_left_behind(runtime: Runtime, log: LogReader, tsa: str) -> None:
    for name in islice(log.tokens.latest(tsa), _UNSURE):
        note, token = log.tiles.first_witnessed(name.size), log.tokens.read(name)
        if note is not None and token is not None:
            _anchor(runtime, note, name, token)
