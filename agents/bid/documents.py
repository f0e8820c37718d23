"""The bidder's smaller documents: withdrawal (SB1 S7.5) and rehearsal (SB1 S6.4)."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from secrets import token_hex

from agents.bid.workdir import Version, WorkDir
from agents.sealing import BidSecrets, build_rehearsal
from trading.bids.rules.context import BidContext
from trading.bids.rules.envelope import WITHDRAWAL, Envelope
from trading.crypto.files import write_secret
from trading.crypto.signatures import DocumentSigner, SignedDocument, sign_document
from trading.kernel.errors import NotFound


def context_of(work: WorkDir, kid: str, seq: int) -> BidContext:
    """Return the context of a version of this directory's bid, under the current policy."""
    name = work.name
    return BidContext(
        bid=name.bid,
        bidder=name.bidder,
        bidder_kid=kid,
        lot=name.lot,
        policy_sha256=work.package().policy.sha256,
        seq=seq,
        stage=name.stage,
        tender=name.tender,
    )


def make_withdrawal(work: WorkDir, signer: DocumentSigner, *, created: int) -> Version:
    """Sign the withdrawal of the standing envelope and keep it as the next version.

    Raises:
        NotFound: No envelope stands.
        Conflict: An earlier version was sent and not answered.
    """
    head = work.head()
    if head is None or not isinstance(head.document, Envelope):
        raise NotFound("no version of this bid stands at the platform")
    seq, supersedes = work.next_place()
    context = context_of(work, signer.kid, seq)
    document = WITHDRAWAL.write({**asdict(context), "created": created, "supersedes": supersedes})
    desk = work.path / "versions" / f".withdrawing-{token_hex(4)}"
    desk.mkdir(mode=0o700)
    try:
        write_secret(desk / "document.json", sign_document(document, signer).wire_bytes())
        desk.rename(desk.with_name(str(seq)))
    finally:
        shutil.rmtree(desk, ignore_errors=True)
    return Version(directory=desk.with_name(str(seq)), seq=seq)


def make_rehearsal(work: WorkDir, signer: DocumentSigner, *, created: int) -> SignedDocument:
    """Return a signed rehearsal with secrets of its own, which are forgotten at once."""
    policy = work.package().policy
    rehearsal = build_rehearsal(context_of(work, signer.kid, 1), policy, BidSecrets.draw(policy), created=created)
    return sign_document(rehearsal, signer)
