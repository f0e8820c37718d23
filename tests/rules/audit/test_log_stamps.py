"""What is stamped of a checkpoint, when it is too late, and how far an authority's clock may be ahead (TE1 T8)."""

from __future__ import annotations

from hashlib import sha256

import pytest

from tests.build.signed_log import VECTORS, SignedLog
from trading.audit.rules.proof import ReceiptState
from trading.audit.rules.stamps import AHEAD_MS, LATE_MS, anchored, is_late, require_not_ahead, stamped_text
from trading.kernel.errors import InvalidInput

NOW = 1_769_000_000_000


def test_the_imprint_of_the_vector() -> None:
    text = stamped_text(VECTORS["al1_log"]["checkpoint"].encode())
    assert sha256(text).hexdigest() == "95d75807049bfedd4ba87051eb00d198a808f17e66d769d6f3f3fd30cb53b43e"  # TE1 T12


def test_cosignatures_that_come_later_change_nothing() -> None:
    log = SignedLog().grow(3)
    texts = {stamped_text(log.note(cosigners=list(enumerate(times, 1)))) for times in ((), (5, 6), (5, 6, 7), (8, 9))}
    assert len(texts) == 1
    assert texts.pop().count(b"\n") == 3


def test_gen_time_before_at_and_after_the_limit() -> None:
    for gen_time in (0, NOW, NOW + AHEAD_MS - 1, NOW + AHEAD_MS):
        require_not_ahead(gen_time, NOW)
    with pytest.raises(InvalidInput, match=r"stamp\.ahead"):
        require_not_ahead(NOW + AHEAD_MS + 1, NOW)


def test_a_moment_is_missed_from_the_limit_on() -> None:
    assert [is_late(NOW, NOW + LATE_MS + more) for more in (-1, 0, 1)] == [False, True, True]


def test_the_anchor_names_checkpoint_and_token() -> None:
    note = SignedLog().grow(3).note(cosigners=[])
    event = anchored(note, "tsa.test", NOW, b"token")
    assert (event.kind, event.subject) == ("tst.anchored", "tsa:tsa.test")
    assert event.body["token_sha256"] == sha256(b"token").hexdigest()
    assert (event.body["size"], event.body["gen_time"], event.body["tsa"]) == (3, NOW, "tsa.test")
    assert len(bytes.fromhex(event.body["root"])) == 32


def test_a_stamped_receipt_is_witnessed_too() -> None:
    assert [state for state in ReceiptState if state.is_witnessed] == [ReceiptState.WITNESSED, ReceiptState.STAMPED]
