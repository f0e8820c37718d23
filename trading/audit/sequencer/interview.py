"""Every witness is asked before the first signature of a run (AL1 L5.3 step 5), and whenever a head is shown to it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final

from trading.audit.files import LogProofs
from trading.audit.rules.cosigning import Answer, Cosigned, Refused, SizeConflict
from trading.audit.rules.note import Note, VerifierKey, parse_checkpoint_text
from trading.audit.rules.policy import Policy
from trading.audit.sequencer.client import WitnessClient, WitnessUnreachable
from trading.kernel.errors import IntegrityFailure

_OTHER_HISTORY: Final = 422
_log = logging.getLogger("mingbiao.witnessing")


def ask_all(
    policy: Policy, clients: Sequence[WitnessClient], ask: Callable[[WitnessClient], None], is_over: Callable[[], bool]
) -> bool:
    """Interview every witness; return whether enough answered to meet the quorum, if the policy has one.

    Raises:
        IntegrityFailure: One of them knows more than we do, or another history.
    """
    answered: set[VerifierKey] = set()
    for client in clients:
        if is_over():
            return False
        try:
            ask(client)
        except WitnessUnreachable as error:
            _log.warning("witness %s: %s", client.names[0], error)
            continue
        answered |= set(client.keys)
    return policy.quorum is None or policy.is_met(answered)


def interview(client: WitnessClient, origin: str, size: int, stored: Note | None, proofs: LogProofs) -> None:
    """Ask one witness what it knows, before anything new is signed (L5.3 step 5); remember it in ``client.known``.

    Args:
        client: The witness.
        origin: Our origin.
        size: Size of the head.
        stored: Newest signed note on disk, or None if there is none; its size is at most ``size``.
        proofs: Our own log.

    Raises:
        WitnessUnreachable: It does not answer.
        IntegrityFailure: It knows a larger size or another history.
    """
    held = client.checkpoint(origin)
    if held is not None:
        require_known(client, held.size, size)
        if proofs.root(held.size, size) != held.root:
            raise IntegrityFailure(f"witness {client.names[0]} knows another history at size {held.size}")
        client.known = held.size
    if stored is None or client.known > parse_checkpoint_text(stored.text).size:
        return
    offered = parse_checkpoint_text(stored.text).size
    answer = offer(client, client.known or offered, offered, stored, proofs)
    if isinstance(answer, SizeConflict):
        require_known(client, answer.size, size)
        client.known = answer.size
        if answer.size <= offered:
            answer = offer(client, answer.size, offered, stored, proofs)
    if isinstance(answer, Refused):
        raise WitnessUnreachable(f"status {answer.status}: {answer.reason}")
    if isinstance(answer, Cosigned):
        client.known = offered


def require_known(client: WitnessClient, theirs: int, ours: int) -> None:
    """Raise ``IntegrityFailure`` if a witness knows a larger log than ours."""
    if theirs > ours:
        raise IntegrityFailure(f"witness {client.names[0]} knows size {theirs}, we have {ours}: this log was set back")


def offer(client: WitnessClient, old: int, size: int, note: Note, proofs: LogProofs) -> Answer:
    """Show ``note`` of ``size`` entries to a witness that is thought to know ``old``.

    Raises:
        WitnessUnreachable: No answer.
        IntegrityFailure: It knows another history.
    """
    answer = client.add_checkpoint(old, proofs.consistency(old, size), note.encode())
    if isinstance(answer, Refused) and answer.status == _OTHER_HISTORY:
        raise IntegrityFailure(f"witness {client.names[0]} knows another history: {answer.reason}")
    return answer
