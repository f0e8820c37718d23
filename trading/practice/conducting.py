"""The opening of a practice tender, by the very station that opens real ones: each step is safe to repeat (SB1 S9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Final

from agents.station import conduct
from agents.station.box import Box, create_box, open_box
from agents.station.ceremony import Ceremony, Place
from agents.station.client import Client, client_for
from trading.crypto.signatures import Es256Signer
from trading.kernel.signed import SignedDocument
from trading.participation.rules.practice import AGENCY, LOT, STAGE, SUPERVISOR
from trading.practice.parties import signer

_STATIONS: Final = "stations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Access tokens of the practice agency and the practice supervisor."""

    agency: str
    supervisor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """Opens practice tenders of one platform; its keys, parts and opened bids lie in ``folder`` until they are done."""

    folder: Path
    url: str
    trust: Callable[[], bytes]
    tokens: Tokens

    def conduct(self, reference: str) -> None:
        """Do the next step of one opening, if there is one to do.

        Raises:
            MingbiaoError: Not yet, or the platform does not answer; the next round tries again.
        """
        box, client = self._box(reference), self._client(reference, self.tokens.agency)
        ceremony = conduct.fetch(box, client)
        if not ceremony.orders:
            return self._hand_in(reference, SignedDocument(conduct.draft_order(box, ceremony)), "agency", "supervisor")
        for item in client.documents("sb1.factor-list"):
            if item["needs"]:
                draft = SignedDocument.from_wire({"doc": item["doc"], "sigs": item["sigs"]})
                return self._hand_in(reference, draft, "agency", "supervisor")
        return self._open(reference, box, client, ceremony)

    def forget(self, keep: frozenset[str]) -> None:
        """Remove what was kept for openings that are over: keys, ciphertexts, opened bids."""
        stations = self.folder / _STATIONS
        for path in stations.iterdir() if stations.exists() else ():
            if path.name not in keep:
                rmtree(path)

    def _open(self, reference: str, box: Box, client: Client, ceremony: Ceremony) -> None:
        if ceremony.step("factor_closed") is None:
            return
        if ceremony.step("release_closed") is None:
            conduct.collect(box, client)
        elif ceremony.step("combined") is None:
            conduct.combine(box, client)
        elif ceremony.step("completed") is None:
            evaluated = conduct.evaluate(box, client)
            opened = conduct.open_all(box, evaluated, lambda result: client.post_result(result.result()))
            for signed in conduct.transcript_documents(evaluated, opened, client):
                self._hand_in(reference, signed, "station-operator", "supervisor")

    def _hand_in(self, reference: str, document: SignedDocument, *roles: str) -> None:
        for role in roles:
            document = document.with_signature(self._signer(role).sign(document.doc))
        self._client(reference, self.tokens.supervisor).post_document(document)

    def _signer(self, role: str) -> Es256Signer:
        return signer(self.folder, SUPERVISOR if role == "supervisor" else AGENCY, role)

    def _client(self, reference: str, token: str) -> Client:
        return client_for(self.url, Place(tender=reference, lot=LOT, stage=STAGE), token)

    def _box(self, reference: str) -> Box:
        folder = self.folder / _STATIONS / reference
        if not (folder / "station.json").exists():
            rmtree(folder, ignore_errors=True)  # a start that died half way
            place = Place(tender=reference, lot=LOT, stage=STAGE)
            create_box(folder, api=self.url, place=place, trust=self.trust(), passphrase=None)
        return open_box(folder, None)
