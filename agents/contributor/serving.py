"""Handing in over HTTP, and ``serve``: a contributor that misses no reveal. Every round may run twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agents.contributor import acts
from agents.contributor.desk import Desk
from agents.contributor.package import read_package
from agents.contributor.platform import Platform
from agents.http import Refused, Unreachable
from trading.kernel.canonical import dumps
from trading.kernel.errors import MingbiaoError
from trading.kernel.fields import type_of
from trading.kernel.signed import SignedDocument

_WHERE: Final[Mapping[str, str]] = {"ed1.contribution": "contributions", "ed1.reveal": "reveals"}


def send(desk: Desk, platform: Platform, draw: str, attempt: int, signed: SignedDocument) -> dict[str, Any]:
    """Post a contribution or reveal and keep the answer of a contribution: it may have to prove a suppression."""
    typ = type_of(signed.doc)
    answer = platform.post(draw, attempt, _WHERE[typ], signed)
    if typ == "ed1.contribution":
        desk.state.set_answer(signed.sha256, dumps(answer))
    return {"h": answer.get("h"), "state": answer.get("state")}


def fetch_seal(platform: Platform, draw: str, attempt: int) -> bytes:
    """Return the receipt of the seal.

    Raises:
        Refused: 409 before it is witnessed.
        Unreachable: The answer has none.
    """
    proof = platform.seal(draw, attempt).get("proof")
    if not isinstance(proof, str):
        raise Unreachable("the answer has no proof")
    return proof.encode()


@dataclass(slots=True)
class _Memory:
    done: set[tuple[str, int, str]] = field(default_factory=set)
    refused: dict[tuple[str, int], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A contributor that watches one platform. ``say`` takes one JSON object per act."""

    desk: Desk
    auto_commit: bool
    say: Callable[[Mapping[str, Any]], None]
    memory: _Memory = field(default_factory=_Memory)

    def round(self) -> None:
        """Look once at every draw that names this key.

        Raises:
            Unreachable: The platform does not answer.
            Refused: It does not accept this key.
        """
        platform = Platform(self.desk)
        for item in platform.draws():
            draw, attempt = item.get("draw"), item.get("attempt")
            if isinstance(draw, str) and type(attempt) is int:
                self._attend(platform, draw, attempt)

    def _attend(self, platform: Platform, draw: str, attempt: int) -> None:
        steps: tuple[tuple[str, Callable[[Platform, str, int], Mapping[str, Any] | None]], ...] = (
            ("commit", self._commit),
            ("reveal", self._reveal),
            ("confirm", self._confirm),
        )
        for name, step in steps:
            if (draw, attempt, name) in self.memory.done:
                continue
            try:
                told = step(platform, draw, attempt)
            except (Unreachable, Refused) as error:
                if isinstance(error, Unreachable):
                    raise
                return  # not its turn yet, or the attempt has ended
            except MingbiaoError as error:
                self._refuse(draw, attempt, name, error)
                return
            if told is None:
                return
            self.memory.done.add((draw, attempt, name))
            self.say({"act": name, "attempt": attempt, "draw": draw, **told})

    def _refuse(self, draw: str, attempt: int, name: str, error: MingbiaoError) -> None:
        if self.memory.refused.get((draw, attempt)) != error.code:
            self.memory.refused[draw, attempt] = error.code
            self.say({"act": name, "attempt": attempt, "code": error.code, "draw": draw})

    def _commit(self, platform: Platform, draw: str, attempt: int) -> Mapping[str, Any] | None:
        made = self.desk.state.contributions(draw, attempt)
        if made:
            signed = SignedDocument.from_wire(made[-1].wire)
            if made[-1].answer is not None:
                return {"contribution_sha256": signed.sha256}
        elif self.auto_commit:
            package = read_package(self.desk, platform.package(draw, attempt))
            signed = acts.contribute(self.desk, package, lambda _text: None)
        else:
            return None
        return {"contribution_sha256": signed.sha256, **send(self.desk, platform, draw, attempt, signed)}

    def _reveal(self, platform: Platform, draw: str, attempt: int) -> Mapping[str, Any]:
        signed = acts.reveal(self.desk, draw, attempt, fetch_seal(platform, draw, attempt))
        return {"reveal_sha256": signed.sha256, **send(self.desk, platform, draw, attempt, signed)}

    def _confirm(self, platform: Platform, draw: str, attempt: int) -> Mapping[str, Any]:
        found = acts.confirm(self.desk, draw, attempt, platform.outcome(draw, attempt))
        return {"counted": found.counted, "sealed_h": found.sealed_h, "seed": found.seed}
