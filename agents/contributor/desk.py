"""An opened contributor: its key, its memory, whom it believes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agents.contributor.state import State
from agents.pinning import TRUST_FILE, PinnedTrust
from trading.bids.rules.trust import TrustFile
from trading.crypto.files import write_secret
from trading.crypto.keyfiles import load_es256, save_es256
from trading.crypto.signatures import DocumentSigner, Es256Signer
from trading.crypto.vault import Vault
from trading.kernel import fields
from trading.kernel.clock import Clock
from trading.kernel.errors import RuleBroken
from trading.kernel.signed import SignedDocument

KEY_FILE: Final = "contributor.key"
VAULT_FILE: Final = "vault"
_CONFIG_FILE: Final = "contributor.json"
_CONFIG: Final = fields.Table("mb.contributor", {"api": fields.text, "name": fields.text})


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A contributor's machine. ``name`` is that of its organisation in the trust file."""

    api: str
    name: str
    state: State
    vault: Vault = field(repr=False)
    signer: DocumentSigner
    pinned: PinnedTrust
    clock: Clock

    @property
    def trust(self) -> TrustFile:
        """Return whom this contributor believes.

        Raises:
            RuleBroken: ``trust.missing``: no trust file was pinned yet.
        """
        trust = self.pinned.current()
        if trust is None:
            raise RuleBroken("trust.missing", "P8")
        return trust

    def sign(self, document: bytes) -> SignedDocument:
        """Return the document with this contributor's signature."""
        return SignedDocument(document, (self.signer.sign(document),))


def create_desk(directory: Path, *, api: str, name: str, passphrase: str | None, key: Es256Signer | None = None) -> str:
    """Make the state directory of a new contributor and return the ``kid`` of its key (role ``contributor``).

    Raises:
        Conflict: There is a contributor in the directory.
        InvalidInput: ``key.weak_passphrase``.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    config = _CONFIG.write({"api": api, "name": name})
    signer = key or Es256Signer.generate()
    State.create(directory).close()
    Vault.create(directory / VAULT_FILE, passphrase)
    save_es256(directory / KEY_FILE, signer, passphrase)
    write_secret(directory / _CONFIG_FILE, config)
    return signer.kid


def open_desk(directory: Path, passphrase: str | None, clock: Clock) -> Desk:
    """Open a contributor.

    Raises:
        InvalidInput: ``key.…``: wrong passphrase, or a file that others can read.
        IntegrityFailure: Its memory is missing.
        FileNotFoundError: There is no contributor in the directory.
    """
    config = _CONFIG.read((directory / _CONFIG_FILE).read_bytes())
    return Desk(
        api=config["api"],
        name=config["name"],
        state=State(directory),
        vault=Vault.open(directory / VAULT_FILE, passphrase),
        signer=load_es256(directory / KEY_FILE, passphrase),
        pinned=PinnedTrust(directory / TRUST_FILE),
        clock=clock,
    )
