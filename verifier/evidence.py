"""What a bundle shows: disclosed records at their positions, documents, verified checkpoints; shared by all checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from verifier.bundle import Bundle
from verifier.keys import KeyRing, Signer
from verifier.policy import SignedCheckpoint
from verifier.report import Report
from verifier.tiles import LogTree
from verifier.trust import Trust


@dataclass(frozen=True)
class Logged:
    """A disclosed record at its position; ``h`` is hex, ``t`` the sequencer's time in ms."""

    n: int
    t: int
    h: str
    record: dict[str, Any]
    place: str

    @property
    def kind(self) -> str:
        """Return the record kind."""
        return str(self.record["kind"])

    @property
    def body(self) -> dict[str, Any]:
        """Return the body; its fields were checked by the registry."""
        body: dict[str, Any] = self.record["body"]
        return body

    @property
    def at(self) -> int:
        """Return the instant of the transaction, ms."""
        return int(self.record["at"])

    @property
    def procedure(self) -> str | None:
        """Return the procedure reference."""
        name: str | None = self.record["procedure"]
        return name


@dataclass
class Document:
    """A document of the bundle whose bytes, name and fields are in order; ``signers`` holds those that verified."""

    sha256: str
    typ: str
    data: bytes
    value: dict[str, Any]
    sigs: list[dict[str, Any]]
    signers: list[Signer] = field(default_factory=list)
    used_at: int | None = None

    @property
    def place(self) -> str:
        """Return the path in the bundle."""
        return f"docs/{self.sha256}.json"

    def signed_by(self, role: str) -> Signer | None:
        """Return the signer in ``role``; alternatives are written ``a|b``."""
        return next((signer for signer in self.signers if signer.role in role.split("|")), None)


@dataclass(frozen=True)
class Stamp:
    """A token that verified: size of its checkpoint, genTime in ms, and where ``tst.anchored`` names it."""

    place: str
    size: int
    gen_time: int
    anchors: list[int]


@dataclass(frozen=True)
class Span:
    """One log of a bundle: what it shows in its own numbering, the number of its entry 0, the folder of its files."""

    evidence: Evidence
    base: int
    folder: str


@dataclass
class Evidence:
    """Everything read from a bundle. ``tier`` is one of log, public, bidders, audit in rising disclosure."""

    bundle: Bundle
    trust: Trust
    report: Report
    header: dict[str, Any]
    records: list[Logged] = field(default_factory=list)
    documents: dict[str, Document] = field(default_factory=dict)
    keys: KeyRing = field(init=False)
    main: SignedCheckpoint | None = None
    notes: list[SignedCheckpoint] = field(default_factory=list)
    noted: dict[str, SignedCheckpoint] = field(default_factory=dict)
    consistent: dict[int, bytes] = field(default_factory=dict)
    stamps: list[Stamp] = field(default_factory=list)
    tree: LogTree | None = None
    joined: list[Span] = field(default_factory=list)
    _by_type: dict[str, list[Document]] = field(default_factory=dict)
    _by_kind: dict[str, list[Logged]] | None = None

    def __post_init__(self) -> None:
        self.keys = KeyRing(self.trust)

    @property
    def spans(self) -> list[Span]:
        """Return the logs of the bundle, the oldest first, each in its own numbering.

        Here, in documents and in records, numbers of entries and sizes of checkpoints count through all logs (L13).
        """
        return self.joined or [Span(self, 0, "")]

    def share_documents(self, other: Evidence) -> None:
        """Know the documents of ``other``: a bundle has one set of them, however many logs."""
        self.documents, self._by_type = other.documents, other._by_type

    def holds(self, tier: str) -> bool:
        """Return whether the bundle claims at least this tier."""
        order = ("log", "public", "bidders", "audit")
        return order.index(self.header["tier"]) >= order.index(tier)

    @property
    def whole_log(self) -> bool:
        """Return whether the bundle is of kind ``audit`` and therefore complete."""
        return bool(self.header["kind"] == "audit")

    def document(self, sha256: str | None, typ: str) -> Document | None:
        """Return the document with this hash and type."""
        found = self.documents.get(sha256) if sha256 else None
        return found if found is not None and found.typ == typ else None

    def add_document(self, document: Document) -> None:
        """Add an admitted document."""
        self.documents[document.sha256] = document
        self._by_type.setdefault(document.typ, []).append(document)

    def of_type(self, typ: str) -> list[Document]:
        """Return all documents of a type, by hash."""
        return self._by_type.get(typ, [])

    def of_kind(self, kind: str) -> list[Logged]:
        """Return all records of a kind, in log order; only after the records are complete."""
        if self._by_kind is None:
            self._by_kind = {}
            for logged in self.records:
                self._by_kind.setdefault(logged.kind, []).append(logged)
        return self._by_kind.get(kind, [])
