"""``mingbiao sign``: sign documents with an institution's or bidder's key, and nothing else (P7.1).

The bytes must be a canonical document of a type this release knows; it is read out in plain words before it is signed.
A file of bare document bytes gives a new wire form; a wire form gets one more signature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import click

from agents import passphrases
from agents.enrolments import ENROLMENT
from agents.words import Stopped, instant, reporting, say, words
from trading.bids.rules.closing import parse_closing_confirmation, parse_intake_list
from trading.bids.rules.envelope import parse_envelope, parse_rehearsal, parse_withdrawal
from trading.bids.rules.policy import parse_custodian_key, parse_policy
from trading.bids.rules.schedule import parse_schedule
from trading.bids.rules.trust import parse_trust
from trading.contracts.rules.documents import parse_contract
from trading.crypto.keyfiles import is_encrypted, load_es256
from trading.crypto.signatures import Es256Signer, SignedDocument
from trading.custody.rules.documents import parse_key_destroyed, parse_non_release
from trading.experts.rules.documents import KINDS as DRAW_KINDS
from trading.kernel import canonical, fields
from trading.kernel.errors import InvalidInput
from trading.openings.rules.documents import KINDS
from trading.parties.rules.documents import KEY_REVOKE


def _notice(raw: bytes) -> None:
    """Admit a notice by its form; what a notice must say is the platform's rule, and its text is read out here."""
    if canonical.loads_object(raw).get("v") != 1:
        raise InvalidInput("doc.bad_field", "mb.notice: v")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A type that may be signed: its name in both languages and its parser, which refuses malformed bytes."""

    zh: str
    en: str
    parse: Callable[[bytes], object]


TYPES: Final[Mapping[str, _Known]] = MappingProxyType(
    {
        "mb.closing-confirmation": _Known(zh="截止确认", en="closing confirmation", parse=parse_closing_confirmation),
        "mb.contract": _Known(zh="合同", en="contract", parse=parse_contract),
        "mb.key-enrol": _Known(zh="密钥登记", en="key enrolment", parse=ENROLMENT.read),
        "mb.key-revoke": _Known(zh="密钥撤销", en="key revocation", parse=KEY_REVOKE.read),
        "mb.notice": _Known(zh="公告", en="notice", parse=_notice),
        "mb.schedule": _Known(zh="时间安排", en="schedule", parse=parse_schedule),
        "mb.trust": _Known(zh="信任文件", en="trust file", parse=parse_trust),
        "sb1.custodian-key": _Known(zh="保管方份额密钥", en="custodian share key", parse=parse_custodian_key),
        "sb1.envelope": _Known(zh="投标信封", en="bid envelope", parse=parse_envelope),
        "sb1.intake-list": _Known(zh="接收清单", en="intake list", parse=parse_intake_list),
        "sb1.key-destroyed": _Known(zh="密钥销毁声明", en="key destruction", parse=parse_key_destroyed),
        "sb1.non-release": _Known(zh="未释放声明", en="statement of non-release", parse=parse_non_release),
        "sb1.policy": _Known(zh="开标密钥方案", en="opening policy", parse=parse_policy),
        "sb1.rehearsal": _Known(zh="预解密演练", en="rehearsal", parse=parse_rehearsal),
        "sb1.withdrawal": _Known(zh="撤回投标", en="bid withdrawal", parse=parse_withdrawal),
        "sb1.adjudication": _Known(zh="份额裁定", en="adjudication", parse=KINDS["sb1.adjudication"].parse),
        "sb1.factor-list": _Known(zh="投标人因子清单", en="factor list", parse=KINDS["sb1.factor-list"].parse),
        "sb1.key-disclosure": _Known(zh="密钥披露", en="key disclosure", parse=KINDS["sb1.key-disclosure"].parse),
        "sb1.objection-decision": _Known(
            zh="异议处理", en="objection decision", parse=KINDS["sb1.objection-decision"].parse
        ),
        "sb1.open-order": _Known(zh="开标令", en="open order", parse=KINDS["sb1.open-order"].parse),
        "sb1.release": _Known(zh="份额释放", en="share release", parse=KINDS["sb1.release"].parse),
        "sb1.release-approval": _Known(
            zh="同意释放份额", en="approval of a share release", parse=KINDS["sb1.release-approval"].parse
        ),
        "sb1.share-check": _Known(zh="份额核对", en="share check", parse=KINDS["sb1.share-check"].parse),
        "sb1.transcript": _Known(zh="开标记录", en="opening transcript", parse=KINDS["sb1.transcript"].parse),
        **{typ: _Known(zh=kind.zh, en=kind.en, parse=kind.parse) for typ, kind in DRAW_KINDS.items()},
    }
)
_INSTANTS: Final = frozenset({"close", "created", "issued", "published_at", "sign_before"})
# Secrets of a document are signed like the rest but not read out (P10).
_UNSPOKEN: Final = frozenset({"seed", "s_b", "s_c", "r", "share", "hpke_pk", "station_pk", "key"})
_LONG: Final = 400


def admit(raw: bytes) -> tuple[str, dict[str, Any]]:
    """Return type and content of bytes that may be signed.

    Raises:
        InvalidInput: ``doc.…``; ``sign.unknown_type`` for a type this release does not know.
    """
    typ = fields.type_of(raw)
    known = TYPES.get(typ)
    if known is None:
        raise InvalidInput("sign.unknown_type", f"{typ} is not a document that this program signs")
    known.parse(raw)
    return typ, canonical.loads_object(raw)


def describe(typ: str, content: Mapping[str, Any]) -> list[str]:
    """Return the lines that are read out before signing: every field, lists by their length or members."""
    known = TYPES[typ]
    lines = [words(f"即将签署：{known.zh}（{typ}）", f"About to sign: {known.en} ({typ})")]
    for name, value in content.items():
        if name not in {"typ", "v"} and name not in _UNSPOKEN:
            lines.extend(_field(name, value))
    return lines


def _field(name: str, value: object) -> list[str]:
    match value:
        case int() if name in _INSTANTS:
            return [f"  {name}: {instant(value)}"]
        case list():
            return [f"  {name}: {len(value)}", *(f"    - {_member(item)}" for item in value[:20])]
        case dict():
            return [f"  {name}: {_member(value)}"]
        case str() if len(value) > _LONG:
            return [f"  {name}: {value[:_LONG]}… ({len(value)})"]
        case _:
            return [f"  {name}: {value}"]


def _member(item: object) -> str:
    """Return one item of a list on one line: its short values, for the long ones are keys and ciphertexts."""
    if not isinstance(item, dict):
        return str(item)
    spoken = ((name, value) for name, value in item.items() if name not in _UNSPOKEN)
    return ", ".join(f"{name} {value}" for name, value in spoken if len(str(value)) <= 80)  # noqa: PLR2004 - one line


def read_document(path: Path) -> SignedDocument:
    """Read a file of document bytes or of a wire form.

    Raises:
        InvalidInput: ``doc.…``.
    """
    raw = path.read_bytes()
    content = canonical.loads_object(raw, 2 * canonical.MAX_DOCUMENT)
    return SignedDocument(raw) if "typ" in content else SignedDocument.from_wire(raw)


def load_signer(key: Path, passphrase_file: Path | None) -> Es256Signer:
    """Open a key file, asking for its passphrase if it has one.

    Raises:
        InvalidInput: ``key.…``.
    """
    if not is_encrypted(key):
        return load_es256(key, None)
    phrase = passphrases.existing(passphrase_file, passphrases.KEY_VARIABLE, f"密钥 {key.name} ", f"the key {key.name}")
    return load_es256(key, phrase)


@click.command("sign")
@click.argument("documents", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--passphrase-file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="File for one document, directory for several; by default DOCUMENT.signed.json beside each.",
)
@click.option("--yes", is_flag=True, help="Do not ask; the documents are still read out.")
def sign(documents: tuple[Path, ...], key: Path, passphrase_file: Path | None, out: Path | None, *, yes: bool) -> None:
    """签署文件: read documents out, then sign them. Refuses everything that is not a known document."""
    with reporting("没有签署任何文件", "nothing was signed"):
        opened = [(path, read_document(path)) for path in documents]
        for _path, signed in opened:
            click.echo("\n".join(describe(*admit(signed.doc))))
            click.echo(f"  SHA-256 {signed.sha256}")
        if not yes and not click.confirm(words("签署以上全部文件？", "Sign all of these?")):
            raise Stopped("没有签署任何文件", "Nothing was signed")
        signer = load_signer(key, passphrase_file)
        for path, signed in opened:
            target = _target(path, out, several=len(opened) > 1)
            target.write_bytes(signed.with_signature(signer.sign(signed.doc)).wire_bytes())
            say(f"已签署：{target}（密钥 {signer.kid[:16]}…）", f"Signed: {target} (key {signer.kid[:16]}…)")


def _target(path: Path, out: Path | None, *, several: bool) -> Path:
    name = f"{path.name.removesuffix('.json').removesuffix('.signed')}.signed.json"
    if out is None:
        return path.with_name(name)
    return out / name if several or out.is_dir() else out
