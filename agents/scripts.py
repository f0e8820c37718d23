"""``mingbiao scripts``: whoever runs it now and then notices if pages are served with other scripts than the log tells.

A platform that serves one bidder a page which betrays the bid is the party that the page protects against (F41). The
list of its scripts is in the log, the same for everybody; this program compares, from any computer, what is served.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from agents.http import Refused, Unreachable, call, require_base
from agents.words import Stopped, Unfinished, say
from trading.audit.rules.note import VerifierKey, parse_vkey, verify_checkpoint
from trading.audit.rules.proof import parse_receipt
from trading.audit.rules.record import parse_record
from trading.audit.rules.tree import leaf_hash, verify_inclusion
from trading.crypto.notes import verify_note_signature
from trading.kernel.canonical import loads_object
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import IntegrityFailure, InvalidInput
from trading.storage.durable import make_directory, replace_file

LIST: Final = "scripts.json"
PROOF: Final = "scripts.tlog-proof"
EVIDENCE: Final = "evidence"
_INSTALLED: Final = "release.installed"
_NAME: Final = re.compile(r"[a-z0-9_]+(/[a-z0-9_]+){0,3}\.(js|json)")
_LIMIT: Final = 8 * 1024 * 1024  # bytes of one file
_MOST: Final = 1_000  # scripts


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A list that the log tells and that what is served agrees with; ``before`` is the digest seen last, if any."""

    list_sha256: str
    before: str | None
    files: int


class Betrayed(IntegrityFailure):
    """What is served is not what the log tells. ``kept`` is where it lies."""

    def __init__(self, what: str, kept: Path) -> None:
        super().__init__(what)
        self.kept = kept


class Comparison:
    """The scripts of one platform as one reader remembers them in a directory."""

    def __init__(self, base: str, key: VerifierKey, directory: Path) -> None:
        """Remember below ``directory``; ``base`` is the address of the platform, ``key`` that of its log."""
        self._base, self._key, self._directory = require_base(base), key, directory

    def look(self) -> Seen:
        """Fetch list, proof and every script, and compare; remember the list.

        Raises:
            Betrayed: The log tells another list, or a script is not the one that the list names.
            InvalidInput: What is served is no list, or no proof of this log.
            Unreachable, Refused: The platform does not serve it; a list that is not logged yet has no proof.
        """
        listed, proof = self._fetch(f"log/{LIST}"), self._fetch(f"log/{PROOF}")
        digest = sha256_hex(listed)
        if self._told(proof) != f"scripts sha256:{digest}":
            raise self._betrayed("the log tells another list of scripts", {LIST: listed, PROOF: proof})
        files = files_of(listed)
        for name, expected in files.items():
            served = self._fetch(f"static/{name}")
            if sha256_hex(served) != expected:
                kept = {LIST: listed, PROOF: proof, name.replace("/", "-"): served}
                raise self._betrayed(f"{name} is not the script that the list names", kept)
        path = self._directory / LIST
        before = sha256_hex(path.read_bytes()) if path.exists() else None
        make_directory(self._directory)
        replace_file(path, listed, durable=True)
        return Seen(list_sha256=digest, before=before, files=len(files))

    def _told(self, proof: bytes) -> object:
        """Return what the record says that the proof puts into the log."""
        receipt = parse_receipt(proof)
        checkpoint = verify_checkpoint(
            receipt.checkpoint, self._key.name, (self._key,), (), verify_note_signature
        ).checkpoint
        leaf = leaf_hash(receipt.entry.encode())
        verify_inclusion(receipt.entry.n, checkpoint.size, leaf, receipt.path, checkpoint.root)
        record = parse_record(receipt.record)
        return record["body"].get("what") if record["kind"] == _INSTALLED else None

    def _betrayed(self, what: str, files: dict[str, bytes]) -> Betrayed:
        folder = self._directory / EVIDENCE / sha256_hex(b"".join(files.values()))[:16]
        make_directory(folder)
        for name, data in files.items():
            replace_file(folder / name, data, durable=True)
        return Betrayed(what, folder)

    def _fetch(self, path: str) -> bytes:
        return call("GET", f"{self._base}/{path}", authorization="", limit=_LIMIT).body


def files_of(listed: bytes) -> dict[str, str]:
    """Return the digests of a list by path.

    Raises:
        InvalidInput: ``scripts.malformed``: it is no such list.
    """
    content = loads_object(listed)
    files = content.get("files")
    if (content.get("typ"), content.get("v")) != ("mb.scripts", 1) or not isinstance(files, list) or not files:
        raise InvalidInput("scripts.malformed", "no list of scripts")
    found: dict[str, str] = {}
    for each in files[: _MOST + 1]:
        if not isinstance(each, dict) or not _NAME.fullmatch(str(each.get("path"))):
            raise InvalidInput("scripts.malformed", f"no script: {each!r}")
        found[each["path"]] = str(each.get("sha256"))
    if len(found) != len(files) or len(found) > _MOST:
        raise InvalidInput("scripts.malformed", "a script is named twice, or too many are")
    return found


@click.command("scripts")
@click.argument("address")
@click.option("--key", "vkey", required=True, help="The log's verifier key, from the supervisor's trust file.")
@click.option(
    "--state", required=True, type=click.Path(file_okay=False, path_type=Path), help="Where to remember what was seen."
)
def main(address: str, vkey: str, state: Path) -> None:
    """核对网页脚本: see that pages are served with the scripts that the log tells; for cron.

    ADDRESS is that of the platform, such as https://ggzy.example. Exit 0: they are. 1: they are not; what was served is
    kept. 2: it could not be seen, or the list is not in the log yet.
    """
    try:
        seen = Comparison(address, parse_vkey(vkey), state).look()
    except Betrayed as fraud:
        raise Stopped(
            f"网页脚本与日志不符：{fraud}。收到的文件保存在 {fraud.kept}，请交给监管部门，并改用客户端密封投标",
            f"the scripts are not those of the log: {fraud}. What was served is in {fraud.kept}: show it to the"
            " supervisor, and seal with the program",
        ) from fraud
    except (InvalidInput, Unreachable, Refused) as error:
        raise Unfinished(f"没有看到网页脚本：{error}", f"the scripts could not be seen: {error}") from error
    if seen.before not in {None, seen.list_sha256}:
        say(
            f"平台换了版本：上次的清单是 {seen.before}", f"another release than last time, whose list was {seen.before}"
        )
    say(
        f"{seen.files} 个脚本与日志中的清单 {seen.list_sha256} 一致",
        f"{seen.files} scripts are those of the list {seen.list_sha256} in the log",
    )
