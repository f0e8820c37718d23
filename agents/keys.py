"""``mingbiao key``: make a document key, prove its possession for enrolment, revoke it (P6.1, P6.2).

The key never leaves its file. Beside it stands ``FILE.pub`` with what others may know: algorithm, key, key id, role.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from agents import passphrases
from agents.enrolments import ENROLMENT
from agents.signing import load_signer
from agents.words import Stopped, reporting, say, warn
from trading.crypto.keyfiles import save_es256
from trading.crypto.signatures import Es256Signer, SignedDocument, sign_document
from trading.kernel import canonical
from trading.kernel.clock import SystemClock
from trading.kernel.encoding import b64u
from trading.kernel.errors import InvalidInput
from trading.parties.rules.documents import KEY_REVOKE, make_key_revoke

#: Roles whose key is an ES256 document key made here (P6.2); log, witness and share keys have commands of their own.
ROLES: Final = ("bidder", "agency", "supervisor", "custodian", "centre", "station-operator", "contributor", "ack")
_PATH = click.Path(dir_okay=False, path_type=Path)
_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
_ROLE = click.option("--role", required=True, type=click.Choice(ROLES), help="One key, one role (P6.1).")
_KEY = click.option("--key", "key_file", required=True, type=_EXISTING, help="The private key's file.")
_PHRASE = click.option("--passphrase-file", type=_EXISTING, help=f"Or {passphrases.KEY_VARIABLE}, or the prompt.")
_OUT = click.option("--out", required=True, type=_PATH)


@click.group("key")
def main() -> None:
    """签名密钥: make, enrol, show and revoke document keys."""


def public_file(key_file: Path) -> Path:
    """Return where the public half of a key file stands."""
    return key_file.with_name(f"{key_file.name}.pub")


def public_half(signer: Es256Signer, role: str) -> dict[str, str]:
    """Return what others may know of a key; with a ``name`` it is a row of a trust file (P8)."""
    return {"alg": signer.alg, "key": b64u(signer.spki), "kid": signer.kid, "role": role}


@main.command("new")
@_ROLE
@click.option("--out", required=True, type=_PATH, help="The private key's file, mode 0600; never overwritten.")
@_PHRASE
@click.option("--no-passphrase", is_flag=True, help="Demo mode only: the key lies in the file in clear.")
def new(role: str, out: Path, passphrase_file: Path | None, *, no_passphrase: bool) -> None:
    """Make a P-256 key for one role and print its id."""
    with reporting():
        phrase = None
        if no_passphrase:
            warn("密钥未加密，只可用于演示", "The key is not encrypted; for demonstrations only")
        else:
            variable = passphrases.KEY_VARIABLE
            phrase = passphrases.new(passphrase_file, variable, f"密钥 {out.name} ", f"the key {out.name}")
        signer = Es256Signer.generate()
        save_es256(out, signer, phrase)
        public_file(out).write_bytes(canonical.dumps(public_half(signer, role)))
    say(f"已生成 {role} 密钥：{out}", f"Made a {role} key: {out}")
    click.echo(signer.kid)


@main.command("show")
@click.argument("key_file", type=_EXISTING)
@_PHRASE
def show(key_file: Path, passphrase_file: Path | None) -> None:
    """Print the public half of a key as one line of JSON."""
    with reporting():
        public = public_file(key_file)
        if public.exists():
            click.echo(public.read_bytes().decode())
        else:
            half = public_half(load_signer(key_file, passphrase_file), "")
            click.echo(canonical.dumps({name: text for name, text in half.items() if text}).decode())


def enrolment(
    signer: Es256Signer, *, account: str, challenge: str, org: str, role: str, created: int
) -> SignedDocument:
    """Return the signed ``mb.key-enrol`` of a key: its proof of possession (P6.2 item 2).

    Raises:
        InvalidInput: ``doc.bad_field``: a value does not fit the table, e.g. the challenge is not 32 bytes of hex.
    """
    body: dict[str, Any] = {
        "account": account,
        "alg": signer.alg,
        "challenge": challenge,
        "created": created,
        "key": b64u(signer.spki),
        "org": org,
        "role": role,
    }
    return _signed(canonical.dumps({**body, "typ": ENROLMENT.typ, "v": 1}), signer, ENROLMENT.read)


def revocation(signer: Es256Signer, *, kid: str, reason: str, created: int) -> SignedDocument:
    """Return the signed ``mb.key-revoke`` of a key, by any active key of the same organisation (P6.2 item 5).

    Raises:
        InvalidInput: ``doc.bad_field``.
    """
    return _signed(make_key_revoke(kid=kid, reason=reason, created=created), signer, KEY_REVOKE.read)


def _signed(raw: bytes, signer: Es256Signer, check: Callable[[bytes], object]) -> SignedDocument:
    check(raw)
    return sign_document(raw, signer)


@main.command("enrol")
@_KEY
@_PHRASE
@_ROLE
@click.option("--account", required=True, help="Account id, as shown with the challenge.")
@click.option("--org", required=True, help="统一社会信用代码, organisation code.")
@click.option("--challenge", required=True, help="64 hex digits; valid ten minutes, once.")
@click.option("--countersign", type=_EXISTING, help="Active key of the same organisation, for every further key.")
@click.option("--countersign-passphrase-file", type=_EXISTING)
@_OUT
def enrol(
    key_file: Path,
    passphrase_file: Path | None,
    role: str,
    account: str,
    org: str,
    challenge: str,
    countersign: Path | None,
    countersign_passphrase_file: Path | None,
    out: Path,
) -> None:
    """Answer an enrolment challenge with the key itself."""
    with reporting():
        _require_role(key_file, role)
        signer = load_signer(key_file, passphrase_file)
        created = SystemClock().now_ms()
        signed = enrolment(signer, account=account, challenge=challenge, org=org, role=role, created=created)
        if countersign is not None:
            signed = signed.with_signature(load_signer(countersign, countersign_passphrase_file).sign(signed.doc))
        out.write_bytes(signed.wire_bytes())
    say(f"登记文件：{out}，十分钟内提交", f"Enrolment document: {out}; hand it in within ten minutes")


def _require_role(key_file: Path, role: str) -> None:
    public = public_file(key_file)
    if not public.exists():
        return
    made_for = canonical.loads_object(public.read_bytes()).get("role")
    if made_for != role:
        raise InvalidInput("key.other_role", f"{key_file} was made for the role {made_for}; one key, one role")


@main.command("revoke")
@_KEY
@_PHRASE
@click.option("--kid", help="Key to revoke; by default the signing key itself.")
@click.option("--reason", required=True)
@click.option("--yes", is_flag=True)
@_OUT
def revoke(key_file: Path, passphrase_file: Path | None, kid: str | None, reason: str, out: Path, *, yes: bool) -> None:
    """Write the revocation of a key. Bids already received stay valid (P6.2)."""
    with reporting():
        signer = load_signer(key_file, passphrase_file)
        revoked = kid or signer.kid
        say(f"即将撤销密钥 {revoked}，不可恢复", f"About to revoke the key {revoked}; this cannot be undone")
        if not yes and not click.confirm("?"):
            raise Stopped("没有撤销", "Not revoked")
        out.write_bytes(revocation(signer, kid=revoked, reason=reason, created=SystemClock().now_ms()).wire_bytes())
    say(f"撤销文件：{out}", f"Revocation document: {out}")
