"""The folder of a synthetic bidder: what it is, how far its bid has got, what it found and has not told yet.

Everything survives a kill at any moment. Its own list, each line signed, is kept for ever: it tells what the log of the
platform must tell, too (TE1 T6).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from trading.bids.rules.probing import MOST_ROUNDS, Round
from trading.crypto.files import read_secret, write_secret
from trading.crypto.keyfiles import load_es256
from trading.crypto.signatures import Es256Signer, sign_document
from trading.kernel import canonical
from trading.storage.durable import replace_file

_TYP: Final = "mb.probe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Where the hidden lot is and whom to believe; ``policy`` is that of the lot, ``log_policy`` the witnesses'."""

    vantage: str
    bidder: str
    tender: str
    bid: str
    policy: str
    origin: str
    log_policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The version that stands as far as is known: its number and digest, 0 and None before the first."""

    seq: int
    sha256: str | None


class ProbeState:
    """One folder: ``probe.json``, ``token`` and ``bidder.key``; ``head.json``, ``untold/`` and ``rounds.jsonl``."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._untold = directory / "untold"
        self.identity = Identity(**json.loads((directory / "probe.json").read_bytes()))
        self.token = read_secret(directory / "token").decode().strip()
        self.signer: Es256Signer = load_es256(directory / "bidder.key", None)

    @classmethod
    def create(cls, directory: Path, identity: Identity, token: str) -> None:
        """Write the folder of a new synthetic bidder, whose ``bidder.key`` stands in it already.

        Raises:
            Conflict: There is one.
        """
        write_secret(directory / "token", token.encode())
        write_secret(directory / "probe.json", canonical.dumps(asdict(identity)))

    @property
    def part(self) -> Path:
        """Return where the ciphertext of a round lies while it is sent."""
        return self._directory / "part.age"

    @property
    def head(self) -> Head:
        """Return the version that stands."""
        path = self._directory / "head.json"
        return Head(**json.loads(path.read_bytes())) if path.exists() else Head(seq=0, sha256=None)

    def stands(self, head: Head) -> None:
        """Remember the version that stands."""
        replace_file(self._directory / "head.json", canonical.dumps(asdict(head)), durable=True)

    def found(self, result: Round) -> None:
        """Keep the result of a round: in the list, signed, and among those that are to be told."""
        self._untold.mkdir(mode=0o700, exist_ok=True)
        raw = canonical.dumps(result.to_json())
        replace_file(self._untold / f"{result.start:015d}.json", raw, durable=True)
        said = canonical.dumps({**result.to_json(), "typ": _TYP, "v": 1, "vantage": self.identity.vantage})
        with (self._directory / "rounds.jsonl").open("ab") as file:
            file.write(sign_document(said, self.signer).wire_bytes() + b"\n")

    def untold(self) -> list[Mapping[str, Any]]:
        """Return what is to be told, oldest first, at most as much as is taken at once."""
        if not self._untold.exists():
            return []
        return [json.loads(path.read_bytes()) for path in sorted(self._untold.glob("*.json"))[:MOST_ROUNDS]]

    def told(self, rounds: list[Mapping[str, Any]]) -> None:
        """Forget what the platform has taken, or has had before."""
        for each in rounds:
            (self._untold / f"{each['from']:015d}.json").unlink(missing_ok=True)
