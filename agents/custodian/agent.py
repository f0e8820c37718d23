"""One agent with its state, keys and trust: opened once, then passed to everything that answers a job."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agents.custodian.journal import Journal
from agents.custodian.state import Place, State
from agents.pinning import TRUST_FILE, PinnedTrust
from trading.audit.rules.policy import Policy as LogPolicy
from trading.audit.rules.policy import parse_policy as parse_log_policy
from trading.bids.rules.policy import Policy, parse_policy, require_signature
from trading.bids.rules.trust import TrustFile
from trading.crypto.files import write_secret
from trading.crypto.keyfiles import load_es256, save_es256
from trading.crypto.keys import XWingPrivateKey
from trading.crypto.signatures import DocumentSigner, Es256Signer, verify_signature
from trading.crypto.vault import Vault
from trading.kernel import fields
from trading.kernel.clock import Clock
from trading.kernel.errors import RuleBroken
from trading.kernel.signed import SignedDocument

JOBS_PER_MINUTE: Final = 10
_CONFIG_FILE, _KEY_FILE, _VAULT_FILE = "agent.json", "institution.key", "vault"
_JOURNAL_FILE = "journal.jsonl"
_CONFIG: Final = fields.Table(
    "mb.custodian-agent",
    {
        "jobs_per_minute": fields.integer(1, 10_000),
        "key_file": fields.text,
        "name": fields.text,
        "role": fields.one_of("agency", "operator", "supervisor", "notary", "association", "centre", "other"),
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """An opened agent. ``name`` and ``role`` are those of its institution in policies and trust file."""

    directory: Path
    name: str
    role: str
    jobs_per_minute: int
    state: State
    vault: Vault = field(repr=False)
    signer: DocumentSigner
    pinned: PinnedTrust
    clock: Clock
    journal: Journal

    @property
    def trust(self) -> TrustFile:
        """Return whom this agent believes.

        Raises:
            RuleBroken: ``trust.missing``: no trust file was pinned yet.
        """
        trust = self.pinned.current()
        if trust is None:
            raise RuleBroken("trust.missing", "P8")
        return trust

    @property
    def log_policy(self) -> LogPolicy:
        """Return the log keys, witnesses and quorum of the trust file."""
        return parse_log_policy(self.trust.log_policy)

    def policy_of(self, place: Place) -> Policy:
        """Return the policy admitted for a place.

        Raises:
            RuleBroken: ``policy.not_admitted``.
        """
        admitted = self.state.admitted(place)
        if admitted is None:
            raise RuleBroken("policy.not_admitted", "SB1 S9.3", place=str(place))
        return parse_policy(admitted.policy)

    def custodian_of(self, place: Place) -> int:
        """Return the own index in the policy admitted for a place.

        Raises:
            RuleBroken: ``policy.not_admitted``.
        """
        admitted = self.state.admitted(place)
        if admitted is None:
            raise RuleBroken("policy.not_admitted", "SB1 S9.3", place=str(place))
        return admitted.custodian

    def share_key(self, place: Place) -> XWingPrivateKey:
        """Open the share key of a place from the vault.

        Raises:
            RuleBroken: ``key.unknown``: there is none, or it was destroyed.
        """
        key = self.state.key_of(place)
        if key is None or key.sealed_seed is None:
            raise RuleBroken("key.unknown", "SB1 S9.3", place=str(place))
        return XWingPrivateKey.from_seed(self.vault.unseal(f"seed:{key.sha256}", key.sealed_seed))

    def sign(self, document: bytes) -> SignedDocument:
        """Return the document with this institution's signature."""
        return SignedDocument(document, (self.signer.sign(document),))

    def require_signers(self, signed: SignedDocument, *roles: str) -> dict[str, str]:
        """Return the names of the trusted institutions that signed in each role.

        Raises:
            InvalidInput: ``sig.missing`` or ``sig.invalid``.
        """
        return {role: require_signature(signed, self.trust, role, verify_signature).name for role in roles}


def create_agent(
    directory: Path,
    *,
    name: str,
    role: str,
    passphrase: str | None,
    key: Es256Signer | None = None,
    jobs_per_minute: int = JOBS_PER_MINUTE,
) -> str:
    """Make the state directory of a new agent and return the ``kid`` of its institution key.

    Args:
        directory: Made with mode 0700 if it does not exist.
        name: As it will stand in the trust file.
        role: Role of the custodian in policies (SB1 S3.2).
        passphrase: Protects institution key and vault; ``None`` only in demo mode.
        key: An existing institution key; ``None`` makes a new one.
        jobs_per_minute: Rate limit (S13.4).

    Raises:
        Conflict: There is an agent in the directory.
        InvalidInput: ``key.weak_passphrase``.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    config = {"jobs_per_minute": jobs_per_minute, "key_file": _KEY_FILE, "name": name, "role": role}
    document = _CONFIG.write(config)
    signer = key or Es256Signer.generate()
    State.create(directory).close()
    Vault.create(directory / _VAULT_FILE, passphrase)
    save_es256(directory / _KEY_FILE, signer, passphrase)
    write_secret(directory / _CONFIG_FILE, document)
    return signer.kid


def open_agent(directory: Path, passphrase: str | None, clock: Clock) -> Agent:
    """Open an agent.

    Raises:
        InvalidInput: ``key.…``: wrong passphrase, or a file that others can read.
        IntegrityFailure: Its memory is missing.
        FileNotFoundError: There is no agent in the directory.
    """
    config = _CONFIG.read((directory / _CONFIG_FILE).read_bytes())
    return Agent(
        directory=directory,
        name=config["name"],
        role=config["role"],
        jobs_per_minute=config["jobs_per_minute"],
        state=State(directory),
        vault=Vault.open(directory / _VAULT_FILE, passphrase),
        signer=load_es256(directory / config["key_file"], passphrase),
        pinned=PinnedTrust(directory / TRUST_FILE),
        clock=clock,
        journal=Journal(directory / _JOURNAL_FILE),
    )
