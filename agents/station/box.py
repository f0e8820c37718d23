"""The station's directory: its key under a vault, the trust file, ciphertexts, opened content (SB1 S14).

It lies on an encrypted disk. But for the key everything in it can be fetched or computed again.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agents.pinning import TRUST_FILE
from agents.station.ceremony import Place
from agents.station.reading import Folder
from trading.bids.rules.trust import TrustFile, parse_trust
from trading.crypto.files import read_secret, write_secret
from trading.crypto.keys import SEED_BYTES, XWingPrivateKey
from trading.crypto.vault import Vault
from trading.kernel import fields

VAULT_FILE: Final = "vault"
_CONFIG_FILE, _SEED_FILE = "station.json", "station.key"
_SEED_NAME: Final = "station"
_CONFIG: Final = fields.Table(
    "mb.station",
    {"api": fields.text, "lot": fields.text, "stage": fields.one_of("all", "tech", "price"), "tender": fields.text},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """An opened station for one ceremony."""

    directory: Path
    api: str
    place: Place
    trust: TrustFile
    key: XWingPrivateKey = field(repr=False)

    @property
    def folder(self) -> Folder:
        """Return where ciphertexts and opened content lie."""
        return Folder(parts=self.directory / "parts", revealed=self.directory / "revealed")

    def stored(self, names: Iterable[str]) -> frozenset[str]:
        """Return which of the ciphertexts (SHA-256 names) lie here, hashed again from the disk."""
        return frozenset(name for name in names if self._has(name))

    def _has(self, name: str) -> bool:
        path = self.folder.ciphertext(name)
        return path.exists() and sha256_of(path) == name

    def store(self, name: str, download: Callable[[Path], str | None]) -> bool:
        """Fetch a ciphertext; it is kept, and True returned, only if it has its hash.

        Args:
            name: SHA-256 of the ciphertext.
            download: Writes into a new file and returns its SHA-256, or ``None`` if there is nothing to fetch.
        """
        path = self.folder.ciphertext(name)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        arriving = path.with_suffix(".arriving")
        arriving.unlink(missing_ok=True)
        is_right = download(arriving) == name
        if is_right:
            arriving.replace(path)
        arriving.unlink(missing_ok=True)
        return is_right


def sha256_of(path: Path) -> str:
    """Return the hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def create_box(directory: Path, *, api: str, place: Place, trust: bytes, passphrase: str | None) -> XWingPrivateKey:
    """Make the directory with a fresh station key and return the key.

    Raises:
        Conflict: There is a station in the directory; a ceremony has its own.
        InvalidInput: ``key.weak_passphrase``, or the trust file is malformed.
    """
    parse_trust(trust)
    config = _CONFIG.write({"api": api, "lot": place.lot, "stage": place.stage, "tender": place.tender})
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    vault = Vault.create(directory / VAULT_FILE, passphrase)
    seed = secrets.token_bytes(SEED_BYTES)
    write_secret(directory / _SEED_FILE, vault.seal(_SEED_NAME, seed))
    write_secret(directory / TRUST_FILE, trust)
    write_secret(directory / _CONFIG_FILE, config)
    return XWingPrivateKey.from_seed(seed)


def open_box(directory: Path, passphrase: str | None) -> Box:
    """Open a station.

    Raises:
        InvalidInput: ``key.…``.
        FileNotFoundError: There is no station in the directory.
    """
    config = _CONFIG.read((directory / _CONFIG_FILE).read_bytes())
    vault = Vault.open(directory / VAULT_FILE, passphrase)
    seed = vault.unseal(_SEED_NAME, read_secret(directory / _SEED_FILE))
    return Box(
        directory=directory,
        api=config["api"],
        place=Place(tender=config["tender"], lot=config["lot"], stage=config["stage"]),
        trust=parse_trust((directory / TRUST_FILE).read_bytes()),
        key=XWingPrivateKey.from_seed(seed),
    )
